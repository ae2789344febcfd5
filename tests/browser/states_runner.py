"""A row of the catalogue in `states`, and how to reach the page it describes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.actor import Step, Visitor, new_address
from tests.browser.chromium import Watch
from tests.support.live_stack import AURORA, BrandSpec, Stack

# Their scripts request Google cross-origin, which an extra header would turn into a preflighted request.
NO_HEADERS = ("v2-invisible", "v3")


@dataclass(frozen=True)
class State:
    """One row of the catalogue."""

    name: str
    steps: tuple[Step, ...]
    says: str = ""
    status: int = 200
    by: str = ""
    brand: BrandSpec = AURORA
    javascript: bool = True
    noise: str = r"$^"  # Expected console messages, besides the status.

    @property
    def group(self) -> str:
        """The page, whose states share a sheet."""
        return self.name.partition(":")[0]

    @property
    def slug(self) -> str:
        """The name for files."""
        return "-".join(self.name.replace(":", "").split())


def row(name: str, *steps: Step, says: str = "", **more: object) -> State:
    """Return a State with these steps."""
    return State(name, steps, says, **more)  # type: ignore[arg-type]


class Visits:
    """Makes visitors and brings them to states; each customer signs in once."""

    def __init__(
        self,
        stack: Stack,
        new_context: Callable[..., tuple[BrowserContext, Watch]],
        keys: dict[tuple[str, str], list[dict[str, Any]]],
    ) -> None:
        self.stack, self.new_context, self.keys = stack, new_context, keys

    def reach(self, state: State, **options: object) -> Page:
        """Return the page in that state, starting with a reset carrier. Unexpected problems are recorded."""
        address = new_address()
        headers = {} if state.brand.kind in NO_HEADERS else {"X-Forwarded-For": address}
        context, watch = self.new_context(
            java_script_enabled=state.javascript, extra_http_headers=headers, **options
        )
        if state.status >= 400:
            watch.expect(f"status of {state.status}")
        watch.expect(state.noise)
        self.stack.fresh()
        visitor = Visitor(context.new_page(), self.stack, state.brand, address)
        if state.by:
            visitor.sign_in_as(state.by, self.keys)
        for step in state.steps:
            step(visitor)
        # A page streaming its figures has started with 200, whatever follows.
        streamed = {200} if state.group in ("home", "statement") else set()
        expected = {state.status} | streamed
        assert visitor.status in expected, f"{state.name}: {visitor.status} at {visitor.page.url}"
        return visitor.page

    def with_scripts(self, page: Page) -> Page:
        """Show the page as without JavaScript in a browser with it, because axe needs scripts."""
        html = re.sub(r"<script.*?</script>", "", page.content(), flags=re.S).replace("noscript", "div")
        context, _ = self.new_context()
        copy = context.new_page()
        copy.route(page.url, lambda route: route.fulfill(body=html, content_type="text/html"))
        copy.goto(page.url)
        return copy
