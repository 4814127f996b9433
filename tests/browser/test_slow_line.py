"""What comes over a slow line: a page's parts in one file, nothing twice, and what kernels put out compressed."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Response, Route, expect

from tests.browser.lab import Lab, write_notebook
from tests.stacks import Stack, poll

# What the server keeps as shown at the left.
SAVED_SIDE = """() => fetch("/lab/api/workspaces/default").then(answer => answer.json())
    .then(kept => kept.data["layout-restorer:data"]?.left?.current)"""
CHARACTERS = 900_000
PRINTING = f"print('{'0.12345 ' * 10}\\n' * {CHARACTERS // 81})\nprint('end')"


def sent_by_the_door(stack: Stack) -> int:
    """Bytes on the wire, all of the door's together (sysfs-class-net-statistics, tx_bytes)."""
    return int(stack.door_shell("cat /sys/class/net/eth0/statistics/tx_bytes"))


def test_a_kernel_s_output_comes_compressed(lab: Lab) -> None:
    answers: list[dict[str, Any]] = []
    session = lab.page.context.new_cdp_session(lab.page)
    session.on("Network.webSocketHandshakeResponseReceived", lambda event: answers.append(event["response"]["headers"]))
    session.send("Network.enable")
    lab.open_notebook(write_notebook(lab.stack.repositories / "slow-line.ipynb", PRINTING))
    names = [{name.lower(): value for name, value in each.items()} for each in answers]
    assert any("permessage-deflate" in each.get("sec-websocket-extensions", "") for each in names)
    before = sent_by_the_door(lab.stack)
    lab.run_all_cells()
    expect(lab.output).to_contain_text("end")
    # With all that the page asks for meanwhile.
    assert sent_by_the_door(lab.stack) - before < CHARACTERS / 4


def test_the_parts_of_the_page_come_in_one_file_and_what_has_not_changed_comes_once(lab: Lab) -> None:
    answers: list[Response] = []
    lab.page.on("response", lambda each: answers.append(each))
    lab.login("/lab?reset")
    expect(lab.page.locator(".jp-Launcher-section").first).to_be_visible()
    wait_until_loaded(lab, answers)
    paths = Counter(each.url.removeprefix(lab.stack.url) for each in answers)
    assert not [path for path in paths if "jupyterlab-plotly" in path], "it comes with the first figure"
    parts = [path for path in paths if re.match(r"/static/lab/\d+\.", path)]
    assert len(parts) <= 3, "the parts that are always loaded: image/bundle"
    # Named in the page's head, and asked for once: by one address, and by one kind of request.
    for path in ("/lab/api/settings", "/lab/api/translations/default"):
        assert paths[path] == 1
        assert not any(each.startswith(f"{path}?1") for each in paths)
    assert len([path for path in paths if path.startswith("/static/lab/joined.")]) == 1

    before = sent_by_the_door(lab.stack)
    lab.page.goto(lab.stack.url + "/lab?reset")
    expect(lab.page.locator(".jp-Launcher-section").first).to_be_visible()
    wait_until_loaded(lab, answers)
    # The settings alone are 25 kB, the language servers 9.
    assert sent_by_the_door(lab.stack) - before < 60_000


def wait_until_loaded(lab: Lab, answers: list[Response]) -> None:
    """Until nothing has come for two seconds: on a busy machine a page asks for more after it was idle."""
    seen = 0
    while len(answers) > seen:
        seen = len(answers)
        lab.page.wait_for_timeout(2_000)


@pytest.mark.parametrize("path", ["/lab", "/lab?reset"])
def test_files_show_before_the_state_of_the_layout_is_saved(lab: Lab, path: str) -> None:
    (lab.stack.repositories / "here.txt").touch()
    lab.login("/lab?reset")
    expect(lab.page.get_by_role("listitem", name="here.txt")).to_be_visible()
    # On a line where that takes for ever.
    lab.page.route("**/lab/api/workspaces/*", lambda route: None if is_save(route) else route.fallback())
    lab.page.goto(lab.stack.url + path)
    expect(lab.page.get_by_role("listitem", name="here.txt")).to_be_visible()


def is_save(route: Route) -> bool:
    return route.request.method == "PUT"


def test_a_layout_is_as_it_was_when_a_page_is_opened_again(lab: Lab) -> None:
    (lab.stack.repositories / "layout").mkdir()
    notebook = write_notebook(lab.stack.repositories / "layout" / "kept.ipynb", "1")
    lab.login(f"/lab/tree/layout/{notebook.name}?reset")
    expect(lab.page.get_by_role("tab", name=notebook.name)).to_be_visible()
    lab.page.get_by_role("tab", name="Table of Contents").click()
    # The layout of the notebook that was opened may be saved in between.
    poll(lambda: lab.page.evaluate(SAVED_SIDE) == "@jupyterlab/toc:plugin" or None, wanted="the layout as it was saved")
    lab.page.goto(lab.stack.url + "/lab")
    expect(lab.page.get_by_role("tab", name=notebook.name)).to_be_visible()
    expect(lab.page.locator("#table-of-contents")).to_be_visible()
