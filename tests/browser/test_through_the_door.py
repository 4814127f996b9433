"""What JupyterLab does besides cells and terminals, with the door in between."""

from __future__ import annotations

import base64
import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, outputs_in, owner, screenshot, write_notebook
from tests.stacks import poll

MEGABYTE = 1024 * 1024
# Of a picture that can't be decoded, this fails.
DRAWN = "async picture => { await picture.decode(); return [picture.naturalWidth, picture.naturalHeight]; }"


def test_a_cell_asks_and_is_answered(lab: Lab) -> None:
    lab.open_notebook(write_notebook(lab.stack.repositories / "asks.ipynb", "print('Hello,', input('Who? '))"))
    lab.run_all_cells()
    lab.page.locator(".jp-Stdin-input").fill("Ada")
    lab.page.keyboard.press("Enter")
    expect(lab.output.get_by_text("Hello, Ada")).to_be_visible()


def is_debugging(lab: Lab) -> bool:
    """A click before the page has asked the kernel whether it can be debugged does nothing, and nothing tells of it."""
    lab.page.locator(".jp-DebuggerBugButton").click()
    with suppress(AssertionError):
        expect(lab.page.get_by_role("button", name="Disable Debugger")).to_be_visible(timeout=15_000)
    return lab.page.get_by_role("button", name="Disable Debugger").count() > 0


def test_the_debugger_stops_at_a_breakpoint(lab: Lab) -> None:
    code = "total = 1\ntotal += 1\nprint('sum', total)"
    lab.open_notebook(write_notebook(lab.stack.repositories / "stops.ipynb", code))
    poll(lambda: is_debugging(lab) or None, wanted="the debugger")
    lab.page.locator(".jp-Cell .cm-breakpoint-gutter .cm-gutterElement").nth(2).click()
    # Once the kernel has heard of it.
    expect(lab.page.locator(".jp-DebuggerBreakpoint")).to_have_count(1)
    lab.run_all_cells()
    expect(lab.page.locator(".jp-DebuggerCallstackFrame").first).to_be_visible()
    screenshot(lab.page, "debugger.png")
    assert lab.output.get_by_text("sum 2").count() == 0
    lab.page.locator("[data-command='debugger:continue']").first.click()
    expect(lab.output.get_by_text("sum 2")).to_be_visible()


def test_a_plot_of_20_megabytes_comes_whole(lab: Lab) -> None:
    code = (
        "import base64, os\nfrom IPython.display import display\n"
        "noise = base64.b64encode(os.urandom(15_000_000)).decode()\n"
        "display({'application/x-noise': noise, 'text/plain': f'noise {len(noise)}'}, raw=True)"
    )
    notebook = write_notebook(lab.stack.repositories / "large.ipynb", code)
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.get_by_text("noise 20000000")).to_be_visible()
    lab.save()
    assert len(outputs_in(notebook)[0]["data"]["application/x-noise"]) == 20_000_000


def test_a_picture_of_20_megabytes_is_drawn(lab: Lab) -> None:
    # Noise, which no compression makes smaller: 3 bytes a pixel.
    code = (
        "import io, os\nfrom IPython.display import Image\nfrom PIL import Image as Pixels\n"
        "noise, file = Pixels.frombytes('RGB', (2800, 2500), os.urandom(2800 * 2500 * 3)), io.BytesIO()\n"
        "noise.save(file, 'PNG')\nImage(file.getvalue())"
    )
    notebook = write_notebook(lab.stack.repositories / "picture.ipynb", code)
    lab.open_notebook(notebook)
    lab.run_all_cells()
    picture = lab.output.locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate(DRAWN) == [2800, 2500]
    lab.save()
    assert len(base64.b64decode(outputs_in(notebook)[0]["data"]["image/png"])) > 20 * MEGABYTE


def test_a_file_is_uploaded_and_downloaded(lab: Lab) -> None:
    content = os.urandom(30 * MEGABYTE)
    lab.login("/lab?reset")
    with lab.page.expect_file_chooser() as chooser:
        lab.page.locator("[data-jp-item-name='uploader']").first.click()
    chooser.value.set_files({"name": "data.bin", "mimeType": "application/octet-stream", "buffer": content})
    # Larger than 15 MB: JupyterLab sends it in pieces, and would ask before.
    uploaded = lab.stack.repositories / "data.bin"
    poll(lambda: (uploaded.exists() and uploaded.stat().st_size == len(content)) or None, wanted="the uploaded file")
    assert hashlib.sha256(uploaded.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert owner(uploaded) == (1000, 1000)
    with lab.page.expect_download() as download:
        lab.page.evaluate("Object.assign(document.createElement('a'), {href: '/files/data.bin', download: ''}).click()")
    assert download.value.path().read_bytes() == content


def test_a_folder_is_downloaded_by_the_file_browser_s_menu(lab: Lab) -> None:
    folder, entry = lab.stack.repositories / "results é#%", "Download Folder as an Archive"
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "data.bin").write_bytes(content := os.urandom(5 * MEGABYTE))
    (lab.stack.repositories / "alone.txt").touch()
    lab.login("/lab?reset")
    lab.page.locator(".jp-DirListing-item", has_text="alone.txt").click(button="right")
    expect(lab.page.get_by_text("Download", exact=True)).to_be_visible()
    expect(lab.page.get_by_text(entry)).to_have_count(0)
    lab.page.keyboard.press("Escape")
    lab.page.locator(".jp-DirListing-item", has_text=folder.name).click(button="right")
    screenshot(lab.page, "folder.png")
    with lab.page.expect_download() as download:
        lab.page.get_by_text(entry, exact=True).click()
    assert download.value.suggested_filename == f"{folder.name}.tar.gz"
    with tarfile.open(download.value.path()) as archive:
        assert archive.getnames() == [f"{folder.name}/run", f"{folder.name}/run/data.bin"]
        file = archive.extractfile(f"{folder.name}/run/data.bin")
        assert file and file.read() == content


# Those that need neither pandoc nor LaTeX.
EXPORTS = [
    ("HTML", "html", ("<html", "<pre>42\n</pre>")),
    ("Markdown", "md", ("print(6 * 7)", "    42\n")),
    ("Executable Script", "py", ("#!/usr/bin/env python", "print(6 * 7)")),
]


@pytest.mark.parametrize(("entry", "suffix", "holds"), EXPORTS)
def test_the_file_menu_exports_a_notebook(lab: Lab, entry: str, suffix: str, holds: tuple[str, ...]) -> None:
    # What the server can export to, without which the menu has no such entries.
    with lab.page.expect_response("**/api/nbconvert*"):
        lab.open_notebook(write_notebook(lab.stack.repositories / "exports.ipynb", "print(6 * 7)"))
    lab.run_all_cells()
    expect(lab.output.get_by_text("42")).to_be_visible()
    lab.page.get_by_role("menuitem", name="File", exact=True).click()
    lab.page.get_by_text("Save and Export Notebook As", exact=True).click()
    # A tab of its own asks for it, which the browser closes once it is a download.
    with lab.page.expect_download() as download:
        lab.page.get_by_role("menuitem", name=entry, exact=True).click()
        if suffix == "html":
            # Whether to leave scripts out: JupyterLab asks, and yes is what stands there.
            lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    assert download.value.suggested_filename == f"exports.{suffix}"
    exported = download.value.path().read_text()
    assert [part for part in holds if part not in exported] == []


@pytest.fixture
def with_language_server(lab: Lab) -> Iterator[Lab]:
    """A language server as a person installs one, which is found when the server of what runs starts."""
    lab.stack.shell("pip install -q --disable-pip-version-check jedi-language-server")
    lab.stack.compose("restart", "kernels")
    yield lab
    lab.stack.shell("pip uninstall -q -y jedi-language-server")


# As JupyterLab's extension for it does (microsoft.github.io/language-server-protocol).
INITIALIZE = """() => new Promise((resolve, reject) => {
    const channel = new WebSocket(`wss://${location.host}/lsp/ws/jedi-language-server`);
    const request = { jsonrpc: "2.0", id: 1, method: "initialize",
                      params: { processId: null, rootUri: null, capabilities: {} } };
    channel.onopen = () => channel.send(JSON.stringify(request));
    channel.onmessage = event => resolve(event.data);
    channel.onerror = () => reject(new Error("no channel"));
    setTimeout(() => reject(new Error("no answer")), 60000);
})"""


def test_a_language_server_answers_the_page(with_language_server: Lab) -> None:
    lab = with_language_server
    lab.login("/lab?reset")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    assert "completionProvider" in lab.page.evaluate(INITIALIZE)


REGISTER = """path => navigator.serviceWorker.register(path).then(() => "registered", error => error.name)"""


def test_no_notebook_s_page_gets_a_service_worker(lab: Lab) -> None:
    """It would answer for the login form too, and outlive the notebook."""
    folder, path = "~/venv/share/jupyter/labextensions/worker", "/lab/extensions/worker/static/worker.js"
    package = '{"name": "worker", "version": "1.0.0", "jupyterlab": {"_build": {"load": "static/worker.js"}}}'
    lab.stack.shell(
        f"mkdir -p {folder}/static && cd {folder} && echo '{package}' >package.json && echo 'self' >static/worker.js"
    )
    lab.login("/lab?reset")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    assert lab.page.evaluate("path => fetch(path).then(answer => answer.text())", path) == "self\n"
    assert lab.page.evaluate(REGISTER, path) == "TypeError"
    assert lab.page.evaluate("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
    lab.stack.shell(f"rm -r {folder}")
