"""Fixtures of the browser tests. A test fails on any console error, warning or CSP violation."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import chromium
from tests.browser.accounts import CUSTOMERS
from tests.browser.chromium import Watch
from tests.browser.states_runner import Visits
from tests.support.live_stack import Stack, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder as browser tests."""
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.browser)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests without Chromium; in CI they fail."""
    try:
        chromium.executable()
    except chromium.Missing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


# Not session scope: while Playwright runs, its event loop prevents ORM use in other tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    expect.set_options(timeout=60_000)
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def stack_process(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Stack]:
    """Carrier and portal, one per worker."""
    with running(tmp_path_factory.mktemp("portal"), shared, customers=CUSTOMERS) as stack:
        yield stack


@pytest.fixture
def stack(stack_process: Stack) -> Stack:
    """Carrier and portal, with the carrier reset."""
    stack_process.fresh()
    return stack_process


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., tuple[BrowserContext, Watch]]]:
    """Make browsers without cookies, each with its own client IP address, so that no rate limit is shared."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def make_context(**options: Any) -> tuple[BrowserContext, Watch]:
        address = f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        context = browser.new_context(**{"extra_http_headers": {"X-Forwarded-For": address}, **options})
        context.set_default_timeout(60_000)  # Generous, because a busy machine is no failure.
        opened.append((context, Watch(context)))
        return opened[-1]

    yield make_context
    for context, _ in opened:
        context.close()
    problems = [problem for _, watch in opened for problem in watch.problems]
    assert not problems, "\n".join(problems)


@pytest.fixture
def visit(new_context: Callable[..., tuple[BrowserContext, Watch]]) -> tuple[BrowserContext, Watch]:
    """A browser context and its watch."""
    return new_context()


@pytest.fixture
def page(visit: tuple[BrowserContext, Watch]) -> Page:
    """A tab of that browser."""
    return visit[0].new_page()


@pytest.fixture
def watch(visit: tuple[BrowserContext, Watch]) -> Watch:
    """The watch of that browser, to declare expected problems."""
    return visit[1]


@pytest.fixture(scope="session")
def keys() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Cookies of signed-in customers, per worker."""
    return {}


@pytest.fixture
def visits(stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]], keys: Any) -> Visits:
    """Bring visitors to the states of the catalogue."""
    return Visits(stack, new_context, keys)
