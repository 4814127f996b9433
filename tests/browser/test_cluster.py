"""The cluster's dashboard, as a person opens it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, WebSocket, expect

from tests.browser.conftest import DESKTOP, import_authority, launch, new_page
from tests.browser.lab import Lab, screenshot
from tests.conftest import PASSWORD
from tests.stack.test_cluster import ClusterStack, up
from tests.stacks import new_stack, poll, prepared

WORK = """python -c "
from dask.distributed import Client
client = Client()
print(sum(client.gather(client.map(lambda x: x * x, range(100)))))
" """


@pytest.fixture
def cluster_lab(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    alone = new_stack(tmp_path_factory.mktemp("cluster"), JUPYTER_PASSWORD=PASSWORD)
    with prepared(ClusterStack(alone.folder, alone.project, alone.port)) as stack:
        up(stack)
        home: Path = tmp_path_factory.mktemp("home")
        import_authority(stack.authority(), home)
        with launch(playwright, home) as browser, new_page(browser, DESKTOP) as page:
            yield Lab(page, stack)


def test_the_dashboard_opens_from_the_menu_and_moves(cluster_lab: Lab) -> None:
    lab = cluster_lab
    lab.login("/lab?reset")
    lab.page.get_by_role("menuitem", name="View", exact=True).click()
    sockets: list[str] = []
    frames: list[str | bytes] = []

    def watch(socket: WebSocket) -> None:
        sockets.append(socket.url)
        socket.on("framereceived", lambda frame: frames.append(frame))

    lab.page.context.on("page", lambda page: page.on("websocket", watch))
    with lab.page.context.expect_page() as opened:
        lab.page.get_by_text("Cluster Dashboard", exact=True).click()
    dashboard = opened.value
    expect(dashboard.locator(".bk-Figure, .bk-Canvas").first).to_be_visible()
    assert dashboard.url == f"{lab.stack.url}/dask/status"
    assert lab.stack.shell(WORK) == "328350\n"
    # Playwright tells of frames while it is asked something.
    poll(lambda: (dashboard.title() and len(frames) > 20) or None, 60, "frames of the dashboard's websocket")
    assert all(each.startswith(f"wss://localhost:{lab.stack.port}/dask/") for each in sockets)
    screenshot(dashboard, "dashboard.png")
