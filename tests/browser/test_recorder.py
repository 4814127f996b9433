"""Cells run on while nobody looks: what they put out is there when somebody comes back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, WebSocketRoute, expect

from entrypoint.files.places import Places
from entrypoint.recorder.recorder import CUT_SECONDS, KILLED, STOPPED
from tests.browser.conftest import DESKTOP, import_authority, launch, new_page
from tests.browser.forwarder import Forwarder, forwarder
from tests.browser.lab import Lab, outputs_in, write_notebook
from tests.stack.test_faults import started_at
from tests.stacks import DOOR, KERNELS, Stack, poll

LINES = 40
# However the browser takes its leave, and however busy the machine is.
WRITTEN_SECONDS = CUT_SECONDS + 120
STALL_SECONDS = 30
COUNTING = f"import time\nfor n in range({LINES}):\n    print('line', n)\n    time.sleep(0.25)"
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);"
FAILING = "1 / 0"
AFTERWARDS = "print('never')"
WANTED = [f"line {n}" for n in range(LINES)]
# As much text as is kept of a cell, and then a message for each line.
FLOOD_LINE = "a line of a log that goes on for a while"
FLOOD = f"""for _ in range(50_000): print({FLOOD_LINE!r})
open('flooded', 'w').close()
while True: print({FLOOD_LINE!r}, flush=True)"""


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Callable[[], Lab]]:
    """Comes with another browser window, each time anew."""
    pages: list[Page] = []

    def come() -> Lab:
        pages.append(new_page(browser, DESKTOP))
        return Lab(pages[-1], stack)

    yield come
    for page in pages:
        page.context.close()


@pytest.fixture
def line(stack: Stack) -> Iterator[Forwarder]:
    """A way to the server that can be cut."""
    with forwarder(stack.port) as line:
        yield line


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]


def lines_of(lab: Lab, cell: int = 0) -> list[str]:
    return lab.output.nth(cell).inner_text().split("\n")


def expect_lines(lab: Lab, wanted: list[str]) -> None:
    """What comes by itself may be shown before what the server is asked for."""
    poll(lambda: lines_of(lab)[: len(wanted)] == wanted or None, wanted="every line, in order")


def prompt(lab: Lab, cell: int) -> str:
    return lab.page.locator(".jp-Cell .jp-InputPrompt").nth(cell).inner_text()


def open_again(lab: Lab, notebook: Path) -> None:
    lab.login(f"/lab/tree/{notebook.name}?reset")
    expect(lab.page.get_by_role("tab", name=notebook.name)).to_be_visible()
    expect(lab.page.locator(".jp-Cell").first).to_be_visible()


def test_a_tab_that_is_closed_loses_nothing(visit: Callable[[], Lab], stack: Stack) -> None:
    notebook = write_notebook(stack.repositories / "closed.ipynb", COUNTING, FIGURE, FAILING, AFTERWARDS)
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    lab.page.close()

    written = poll(
        lambda: code_cells(notebook) if code_cells(notebook)[2]["outputs"] else None,
        seconds=WRITTEN_SECONDS,
        wanted="the outputs",
    )
    assert "".join(written[0]["outputs"][0]["text"]).split() == " ".join(WANTED).split()
    assert [cell["execution_count"] for cell in written] == [1, 2, 3, None]

    lab = visit()
    open_again(lab, notebook)
    expect(lab.output.nth(1).locator("img")).to_be_visible()
    expect_lines(lab, WANTED)
    expect(lab.output.nth(2)).to_contain_text("ZeroDivisionError")
    assert [prompt(lab, n) for n in range(4)] == ["[1]:", "[2]:", "[3]:", "[ ]:"]


def test_a_page_that_is_loaded_anew_goes_on_live(visit: Callable[[], Lab], stack: Stack) -> None:
    waiting = "\n    import os\n    while n == 6 and not os.path.exists('seen'): time.sleep(0.1)"
    notebook = write_notebook(stack.repositories / "reloaded.ipynb", COUNTING + waiting)
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    other = visit()
    lab.page.reload()
    open_again(other, notebook)
    for page in (lab, other):
        expect(page.output.nth(0)).to_contain_text("line 6")
        assert prompt(page, 0) == "[*]:"
    (stack.repositories / "seen").touch()
    for page in (lab, other):
        expect(page.output.nth(0)).to_contain_text(WANTED[-1])
        expect_lines(page, WANTED)
        expect(page.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")


def test_whoever_comes_back_to_a_cell_that_prints_without_end_can_stop_it(
    visit: Callable[[], Lab], stack: Stack
) -> None:
    notebook = write_notebook(stack.repositories / "flood.ipynb", FLOOD)
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    poll(lambda: (stack.repositories / "flooded").exists() or None, wanted="much text")
    lab.page.close()
    again = visit()
    open_again(again, notebook)
    expect(again.output.nth(0)).to_contain_text(FLOOD_LINE)
    again.page.get_by_title("Interrupt the kernel").click()
    expect(again.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")
    expect(again.output.last).to_contain_text("KeyboardInterrupt")
    again.page.close()


def test_a_question_waits_for_whoever_comes(visit: Callable[[], Lab], stack: Stack) -> None:
    asking = "import time\ntime.sleep(6)\nname = input('Your name? ')\nprint('Hello', name)"
    notebook = write_notebook(stack.repositories / "asking.ipynb", asking)
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    lab.page.close()
    # One comes before it is asked, and another afterwards.
    pages = [visit(), visit()]
    for lab in pages:
        open_again(lab, notebook)
        expect(lab.page.locator(".jp-Stdin-input")).to_be_visible()
    field = lab.page.locator(".jp-Stdin-input")
    field.press_sequentially("Ad")
    # What a person has begun to write stays, though the page asks for what it may not have heard.
    for _ in range(2):
        with lab.page.expect_response(lambda each: "/runs?" in each.url):
            pass
    field.press_sequentially("a")
    field.press("Enter")
    for lab in pages:
        expect(lab.output.nth(0)).to_contain_text("Hello Ada")
        expect(lab.page.locator(".jp-Stdin-input")).to_have_count(0)


def kill(mark: str) -> None:
    """Ends a browser that was started with an argument, as a flat battery does."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def test_a_browser_that_is_killed_loses_nothing(
    playwright: Playwright, visit: Callable[[], Lab], stack: Stack, authority: Path, tmp_path: Path
) -> None:
    notebook = write_notebook(stack.repositories / "killed.ipynb", COUNTING)
    import_authority(authority, tmp_path)
    mark = f"--workhorse-test-{uuid.uuid4()}"
    lab = Lab(new_page(launch(playwright, tmp_path, mark), DESKTOP), stack)
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    kill(mark)
    lab = visit()
    open_again(lab, notebook)
    expect(lab.output.nth(0)).to_contain_text(WANTED[-1])
    expect_lines(lab, WANTED)
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")


@pytest.mark.parametrize(("seconds", "is_written"), [(1, False), (10, False), (1, True)])
def test_a_line_that_is_cut_while_another_page_comes_and_goes_loses_nothing(
    visit: Callable[[], Lab], stack: Stack, line: Forwarder, seconds: int, is_written: bool
) -> None:
    """Then Jupyter's own buffer is gone, and the page would wait for ever."""
    notebook = write_notebook(
        stack.repositories / f"cut-{seconds}-{is_written}.ipynb", f"{COUNTING}\ntime.sleep({seconds})\n1/0"
    )
    lab = Lab(visit().page, dataclasses.replace(stack, port=line.port))
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    line.close()
    other = visit()
    open_again(other, notebook)
    expect(other.output.nth(0)).to_contain_text("line 9")
    if seconds == 1:
        expect(other.output.nth(0)).to_contain_text("ZeroDivisionError")
    other.page.close()
    if is_written:
        poll(lambda: outputs_in(notebook) or None, seconds=WRITTEN_SECONDS, wanted="the outputs in the file")
    line.open()
    expect(lab.output.nth(0)).to_contain_text("ZeroDivisionError")
    expect_lines(lab, WANTED)
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")
    lab.save()
    assert lab.page.locator(".jp-Dialog").count() == 0
    assert "ZeroDivisionError" in notebook.read_text()


def test_what_was_on_its_way_when_the_line_broke_is_there(
    visit: Callable[[], Lab], stack: Stack, line: Forwarder
) -> None:
    """The server takes it for said, and says it to nobody again."""
    notebook = write_notebook(stack.repositories / "broken.ipynb", COUNTING.replace("line", "broken line"))
    lab = Lab(visit().page, dataclasses.replace(stack, port=line.port))
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    line.is_dead = True
    poll(lambda: "broken line 30" in record(stack) or None, wanted="lines that go nowhere")
    line.close()
    line.is_dead = False
    line.open()
    # First comes what the server said after it had noticed, and then the rest.
    expect_lines(lab, [f"broken {each}" for each in WANTED])
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")


@pytest.mark.parametrize("lost", [30, LINES - 1])
def test_a_connection_that_hears_the_kernel_late_loses_nothing(
    visit: Callable[[], Lab], stack: Stack, lost: int
) -> None:
    """As on a busy machine: the page is connected, and what the kernel says next is said to nobody."""
    notebook = write_notebook(stack.repositories / f"late-{lost}.ipynb", COUNTING.replace("line", f"{lost} line"))
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    lab.page.close()
    lab, deaf = visit(), threading.Event()
    deaf.set()
    lab.page.route_web_socket("**/channels*", lambda way: pass_on(way, lambda said: deaf.is_set() and b"iopub" in said))
    open_again(lab, notebook)
    expect(lab.output.nth(0)).to_contain_text("line 4")
    poll(lambda: was_said(stack, lab, f"{lost} line {lost}") or None, wanted=f"line {lost}, which nobody hears")
    if lost < LINES - 1:
        deaf.clear()
    expect(lab.output.nth(0)).to_contain_text(WANTED[-1])
    expect_lines(lab, [f"{lost} {each}" for each in WANTED])
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")


def pass_on(way: WebSocketRoute, is_lost: Callable[[bytes], bool]) -> None:
    server = way.connect_to_server()

    def from_server(message: str | bytes) -> None:
        if not (isinstance(message, bytes) and is_lost(message[:200])):
            way.send(message)

    server.on_message(from_server)


def was_said(stack: Stack, lab: Lab, line: str) -> bool:
    # Playwright passes messages on while it waits for something itself.
    lab.page.wait_for_timeout(200)
    return line in record(stack)


# As the manager of kernels says it, which only the image can import.
DIED = "The kernel died while this cell ran."
PAUSE = "import time\ntime.sleep(6)"
PLOTLY_S = "application/vnd.plotly.v1+json"
# As plotly and bokeh give them to IPython, in short.
PLOTLY = """display({
    'application/vnd.plotly.v1+json': {
        'config': {'plotlyServerURL': ''}, 'layout': {'title': {'text': 'A \\u00e9'}, 'xaxis': {'range': [0.0, 1e21]}},
        'data': [{'type': 'bar', 'x': ['a', 'b'], 'y': [1.0, 2.5, None], 'bdata': 'AAAA', 'lines': ['one', 'two']}],
    },
    'text/html': '<div id="figure">\\n</div>\\n<script type="text/javascript">window.figure = 1;\\n</script>\\n',
}, raw=True)"""
BOKEH = """loading, running = 'application/vnd.bokehjs_load.v0+json', 'application/vnd.bokehjs_exec.v0+json'
code = "(function(root) {\\n  root.figures = (root.figures || 0) + 1;\\n})(window);\\n"
display({'application/javascript': code, loading: ''}, raw=True)
display({'text/html': '\\n  <div id="p1001" style="display: contents;"></div>\\n'}, raw=True)
display({'application/javascript': code, running: ''}, metadata={running: {'id': 'p1001'}}, raw=True)"""
DISPLAYS = (
    "for n in range(50):\n    print(f'\\r{n * 2} %', end='', flush=True)\n    time.sleep(0.01)\nprint(' done')",
    "from tqdm import tqdm\nfor n in tqdm(range(30), ncols=40, bar_format='{l_bar}{bar}'):\n    time.sleep(0.02)",
    "shown = display('before', display_id=True)\nfor n in range(5):\n    time.sleep(0.1)\n    shown.update(n)",
    "from IPython.display import clear_output\nfor n in range(5):\n    clear_output(wait=True)\n    print('step', n)",
    "for n in range(10):\n    display('equal')",
    "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out again')",
    "from IPython.display import HTML\nHTML('<b>bold</b>')",
    "from ipywidgets import IntProgress\nbar = IntProgress(value=7)\nbar",
    PLOTLY,
    BOKEH,
    "shown.update('at last')\n'a result'",
)


def comparable(cell: dict[str, Any]) -> Any:
    """Without what is another each time; a whole number is the same with a point and without, which pages drop."""
    for output in cell["outputs"]:
        if PLOTLY_S in output.get("data", {}):
            # A still of what plotly's part of a page has drawn, which it adds itself.
            output["data"].pop("image/png", None)
    outputs = json.dumps([cell["execution_count"], cell["outputs"]])
    return json.loads(re.sub(r'("model_id": )"\w+"|("version_m\w+": )\d+', r"\1\g<2>0", outputs))


def test_what_is_displayed_is_kept_as_an_open_page_keeps_it(visit: Callable[[], Lab], stack: Stack) -> None:
    seen = write_notebook(stack.repositories / "displayed.ipynb", PAUSE, *DISPLAYS)
    unseen = write_notebook(stack.repositories / "displayed-unseen.ipynb", PAUSE, *DISPLAYS)
    lab, other = visit(), visit()
    for each, notebook in ((lab, seen), (other, unseen)):
        each.open_notebook(notebook)
        each.run_all_cells()
        expect(each.page.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    other.page.close()
    expect(lab.output.last).to_contain_text("a result")
    # JupyterLab counts a cell once it is done.
    expect(lab.page.locator(".jp-CodeCell .jp-InputPrompt").last).to_have_text(re.compile(r"\[\d+\]:"))
    lab.save()
    poll(lambda: "a result" in json.dumps(outputs_in(unseen)) or None, seconds=WRITTEN_SECONDS, wanted="the outputs")
    for kept, wanted in zip(code_cells(unseen), code_cells(seen), strict=True):
        assert comparable(kept) == comparable(wanted), wanted["source"]

    lab = visit()
    open_again(lab, unseen)
    # The widget is the living one, and what was updated was so before.
    expect(lab.output.locator(".widget-hprogress, .jupyter-widgets.widget-inline-hbox")).to_be_visible()
    expect(lab.output.nth(3)).to_have_text("'at last'")
    assert lab.output.nth(5).locator(".jp-OutputArea-output").all_inner_texts() == ["'equal'"] * 10


def test_what_somebody_changes_while_nobody_looks_is_neither_overwritten_nor_lost(
    visit: Callable[[], Lab], stack: Stack
) -> None:
    folder = stack.repositories
    names = ("renamed", "deleted", "edited", "untouched")
    waiting = "import os, time\nwhile not os.path.exists('changed'): time.sleep(0.1)"
    notebooks = {name: write_notebook(folder / f"{name}.ipynb", waiting, f"print('{name}')") for name in names}
    labs = {visit(): notebook for notebook in notebooks.values()}
    for lab, notebook in labs.items():
        lab.open_notebook(notebook)
        lab.run_all_cells()
        expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    for lab in labs:
        lab.page.close()
    # Until the recorder has looked at them once more, and kept what it saw.
    poll(lambda: {each.name for each in notebooks.values()} <= looked_at(stack) or None, wanted="a look at each")
    notebooks["renamed"].rename(folder / "other-name.ipynb")
    notebooks["deleted"].unlink()
    text = notebooks["edited"].read_text()
    notebooks["edited"].write_text(text.replace("print('edited')", "print('edited', 'since')"))
    (folder / "changed").touch()

    poll(lambda: outputs_in(folder / "other-name.ipynb") or None, seconds=WRITTEN_SECONDS, wanted="the outputs")
    poll(lambda: outputs_in(notebooks["untouched"]) or None, seconds=WRITTEN_SECONDS, wanted="the outputs")
    copy = poll(lambda: next(folder.glob("edited.outputs-*.ipynb"), None), seconds=WRITTEN_SECONDS, wanted="a copy")
    assert [cell["source"] for cell in code_cells(copy)] == [["print('edited')"]]
    assert "edited" in json.dumps(outputs_in(copy))
    assert outputs_in(notebooks["edited"]) == []
    assert not notebooks["deleted"].exists()
    assert not notebooks["renamed"].exists()
    stack.told("'deleted.ipynb' was deleted", "'edited.ipynb' was changed while its cells ran", seconds=WRITTEN_SECONDS)


def looked_at(stack: Stack) -> set[str]:
    """The notebooks of which the recorder has kept what they were like before their cells' outputs."""
    kept = [json.loads(line) for line in record(stack).splitlines()]
    return {each["path"] for each in kept} - {each["path"] for each in kept if each["before"] is None}


def record(stack: Stack) -> str:
    """What is kept on the disk."""
    command = f"awk 1 {Places().runs}/*"
    return stack.compose("exec", "-T", KERNELS, "sh", "-c", command, check=False).stdout


def recreated(stack: Stack) -> str:
    stack.compose("up", "-d", "--no-build", "--force-recreate", KERNELS)
    return STOPPED


def killed(stack: Stack) -> str:
    before = started_at(stack, KERNELS)
    # Not by Docker, which takes that for a stop by hand.
    os.kill(stack.kernels.attrs["State"]["Pid"], signal.SIGKILL)
    poll(lambda: started_at(stack, KERNELS) != before or None, wanted="another container")
    return KILLED


def ended_by_its_code(stack: Stack) -> str:
    return DIED


@pytest.mark.parametrize("end", [ended_by_its_code, recreated, killed])
def test_what_ends_a_kernel_is_told_in_the_cell(
    visit: Callable[[], Lab], stack: Stack, end: Callable[[Stack], str]
) -> None:
    code = f"{PAUSE}\nfor n in range(9):\n    print({end.__name__!r}, n, flush=True)\n    time.sleep(0.2)\n"
    last = "import os; os.kill(os.getpid(), 9)" if end is ended_by_its_code else "time.sleep(600)"
    notebook = write_notebook(stack.repositories / f"kernel-{end.__name__}.ipynb", code + last, "print('never')")
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    lab.page.close()
    if end is not ended_by_its_code:
        poll(lambda: f"{end.__name__} 8" in record(stack) or None, wanted="the record")
    told = end(stack)
    (text,) = poll(lambda: outputs_in(notebook)[:1] or None, seconds=WRITTEN_SECONDS, wanted="the outputs")
    assert "".join(text["text"]).split("\n")[:9] == [f"{end.__name__} {n}" for n in range(9)]
    assert "".join(outputs_in(notebook)[1]["text"]) == f"{told}\n"
    assert [cell["execution_count"] for cell in code_cells(notebook)] == [1, None]


def test_two_tabs_on_one_notebook_are_told_as_ever(visit: Callable[[], Lab], stack: Stack) -> None:
    notebook = write_notebook(stack.repositories / "two-tabs.ipynb", "print('one')")
    one, other = visit(), visit()
    one.open_notebook(notebook)
    other.login(f"/lab/tree/{notebook.name}?reset")
    expect(other.page.get_by_text("Python 3 | Idle")).to_be_visible()
    other.page.locator(".jp-Cell .cm-content").first.click()
    other.page.keyboard.type("# changed\n")
    one.run_all_cells()
    expect(one.output.nth(0)).to_contain_text("one")
    one.save()
    other.page.keyboard.press("Control+s")
    expect(other.page.locator(".jp-Dialog")).to_contain_text("File Changed")


def test_a_connection_that_stalls_loses_nothing(visit: Callable[[], Lab], stack: Stack) -> None:
    """As where a lid is closed, or a train is in a tunnel: nothing is cut, and nothing comes."""
    notebook = write_notebook(stack.repositories / "stalled.ipynb", COUNTING)
    lab = visit()
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.nth(0)).to_contain_text("line 4")
    stack.compose("pause", DOOR)
    try:
        time.sleep(STALL_SECONDS)
    finally:
        stack.compose("unpause", DOOR)
    expect(lab.output.nth(0)).to_contain_text(WANTED[-1])
    expect_lines(lab, WANTED)
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[1]:")
    lab.save()
    assert lab.page.locator(".jp-Dialog").count() == 0
