"""What an open page costs, and how long it is left without an answer when JupyterLab is made anew below it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.contestants import PEER_TOKEN, containers_of, peer, workhorse
from bench.guessing import login_cookies
from bench.login_page import HOST, start
from bench.login_page import Page as Ready
from bench.memory import settled_memory
from bench.spread import Comparison, spreads
from bench.table import comparison_table
from bench.visits import CONTENT, MILLISECONDS, NOTEBOOK, Site, context_of, run_first_cell, write_notebook
from tests.browser.conftest import import_authority, launch
from tests.stacks import LAB, poll

# A server of each side is started for each.
RUNS = 3
GAP_SECONDS = 60
# The page's own question for its folder, again and again; Chromium drops one when a container's network goes.
ASKING = """() => {
    window.answered = [performance.now()];
    const ask = async () => {
        const answer = await fetch('/api/contents?content=0').catch(() => ({ ok: false }));
        if (answer.ok) {
            window.answered.push(performance.now());
        }
        setTimeout(ask, 50);
    };
    ask();
}"""
NOW = "() => performance.now()"
IS_BACK = "since => window.answered.at(-1) > since + 2000"
LONGEST = "() => Math.max(...window.answered.slice(1).map((each, n) => each - window.answered[n])) / 1000"


@dataclass(frozen=True)
class Side:
    """A server with a notebook, what runs it, and what makes its JupyterLab anew."""

    site: Site
    containers: Sequence[Container]
    renew: Callable[[], object]

    def measure(self, browser: Browser) -> tuple[float, float, float]:
        """Mebibytes with the launcher open and with a notebook whose first cell has run, and seconds of a gap."""
        with context_of(browser, self.site) as context:
            page = context.new_page()
            page.set_default_timeout(MILLISECONDS)
            page.goto(self.site.address("/lab"))
            expect(page.locator(".jp-Launcher-section").first).to_be_visible(timeout=MILLISECONDS)
            page.wait_for_load_state("networkidle")
            launcher = settled_memory(self.containers)
            page.goto(self.site.address(f"/lab/tree/{NOTEBOOK}"))
            run_first_cell(page)
            notebook = settled_memory(self.containers)
            return launcher, notebook, self._gap(page)

    def _gap(self, page: Page) -> float:
        page.evaluate(ASKING)
        self.renew()
        since = page.evaluate(NOW)
        # For as long as both are there, the former one may have answered last.
        poll(lambda: page.evaluate(IS_BACK, since) or None, seconds=GAP_SECONDS, wanted="an answer to the page")
        return float(page.evaluate(LONGEST))


@contextmanager
def our_side(client: docker.DockerClient) -> Iterator[tuple[Side, Path]]:
    with workhorse() as stack:
        (stack.repositories / NOTEBOOK).write_text(json.dumps(CONTENT))
        stack.up()
        url, authority = f"https://localhost:{stack.port}", stack.authority()

        def renew() -> None:
            stack.compose("up", "-d", "--no-build", "--no-deps", "--force-recreate", LAB)

        yield Side(Site(url, login_cookies(url, authority)), containers_of(client, stack), renew), authority


@contextmanager
def their_side(client: docker.DockerClient) -> Iterator[Side]:
    with peer(client) as (container, port):
        start((container,), Ready(port))
        write_notebook(container)
        site = Site(f"http://{HOST}:{port}", query=f"token={PEER_TOKEN}&reset")
        yield Side(site, (container,), container.restart)


def one_run(client: docker.DockerClient) -> list[tuple[float, float, float]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, authority = stack.enter_context(our_side(client))
        theirs = stack.enter_context(their_side(client))
        import_authority(authority, folder)
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright()), folder))
        return [side.measure(browser) for side in (ours, theirs)]


def open_pages(client: docker.DockerClient) -> list[Comparison]:
    runs = [one_run(client) for _ in range(RUNS)]
    launcher, notebook, gap = ([(ours[n], theirs[n]) for ours, theirs in runs] for n in range(3))
    return [
        Comparison("memory with a page open", "MiB", *spreads(launcher), aim="<= 1.25", decimals=1),
        Comparison("  and a notebook with its kernel", "MiB", *spreads(notebook), decimals=1),
        Comparison("gap of a page, JupyterLab made anew", "s", *spreads(gap), aim="ours < 5"),
    ]


if __name__ == "__main__":
    print(comparison_table(open_pages(docker.from_env())))
