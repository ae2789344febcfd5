"""Chromium in front of the real thing. A visit fails its test on any error, warning or policy violation."""

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
    """All tests of this folder drive the browser."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without Chromium these tests are skipped, in one line of the summary; in CI they fail."""
    try:
        chromium.executable()
    except chromium.Missing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))


# Of the package, not of the session: while Playwright runs, its event loop forbids the ORM to other tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium."""
    expect.set_options(timeout=60_000)
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def stack_process(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Stack]:
    """Carrier and portal, once for each worker."""
    with running(tmp_path_factory.mktemp("portal"), shared, customers=CUSTOMERS) as stack:
        yield stack


@pytest.fixture
def stack(stack_process: Stack) -> Stack:
    """Carrier and portal, the carrier as new."""
    stack_process.fresh()
    return stack_process


@pytest.fixture
def new_context(browser: Browser) -> Iterator[Callable[..., tuple[BrowserContext, Watch]]]:
    """Makes browsers without cookies, each from a client address of its own, so that no limit is shared."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def make(**options: Any) -> tuple[BrowserContext, Watch]:
        address = f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        context = browser.new_context(**{"extra_http_headers": {"X-Forwarded-For": address}, **options})
        context.set_default_timeout(60_000)  # As for what is expected: a busy machine is no fault.
        opened.append((context, Watch(context)))
        return opened[-1]

    yield make
    for context, _ in opened:
        context.close()
    problems = [problem for _, watch in opened for problem in watch.problems]
    assert not problems, "\n".join(problems)


@pytest.fixture
def visit(new_context: Callable[..., tuple[BrowserContext, Watch]]) -> tuple[BrowserContext, Watch]:
    """One browser and what must not happen in it."""
    return new_context()


@pytest.fixture
def page(visit: tuple[BrowserContext, Watch]) -> Page:
    """A tab of that browser."""
    return visit[0].new_page()


@pytest.fixture
def watch(visit: tuple[BrowserContext, Watch]) -> Watch:
    """What must not happen in it, to name an exception."""
    return visit[1]


@pytest.fixture(scope="session")
def keys() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The cookies of whoever has signed in, for one worker's run."""
    return {}


@pytest.fixture
def visits(stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]], keys: Any) -> Visits:
    """Leads visitors to the states of the catalogue."""
    return Visits(stack, new_context, keys)
