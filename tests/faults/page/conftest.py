"""The real page, in a real browser, of a real server."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.faults.page.pipelines import SOURCES
from tests.support.pipelines import READY, write_pipeline_package
from tests.support.server import ServerProcess

Open = Callable[..., Page]

MILLISECONDS = 20_000
expect.set_options(timeout=MILLISECONDS)

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("page")
    plugins = [READY, write_pipeline_package(folder / "pipelines", SOURCES)]
    with ServerProcess(folder / "data", plugins=plugins) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chrome or Debian's Chromium, which decode what people's do: Playwright's own has no H.264."""
    path = shutil.which("google-chrome") or shutil.which("chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: ServerProcess) -> Iterator[Open]:
    """Open the page in a tab, all tabs of one profile; when the test is over, nothing may have
    gone wrong in any, by what the browser says."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(MILLISECONDS)
    context.add_init_script(WATCH)
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))

    def note(message: object) -> None:
        text = str(getattr(message, "text", message))
        if getattr(message, "type", "") == "error" and "Failed to load resource" not in text:
            wrong.append(text)

    def open_tab(fragment: str = "") -> Page:
        tab = context.new_page()
        tab.on("console", note)
        tab.goto(f"{server.base_url}/{fragment}")
        return tab

    yield open_tab
    for tab in context.pages:
        wrong += tab.evaluate("window.violations")
    context.close()
    assert wrong == []


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page()


def submit(page: Page, pipeline_id: str, *videos: Path) -> None:
    page.select_option("#pipeline", pipeline_id)
    page.set_input_files("#files", videos)
