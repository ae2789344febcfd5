"""A row of the catalogue in `states`, and the way to the page that it describes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.actor import Step, Visitor, new_address
from tests.browser.chromium import Watch
from tests.support.live_stack import AURORA, BrandSpec, Stack

# Their scripts ask Google across origins, which a header of ours would turn into another kind of request.
NO_HEADERS = ("v2-invisible", "v3")


@dataclass(frozen=True)
class State:
    """One row."""

    name: str
    steps: tuple[Step, ...]
    says: str = ""
    status: int = 200
    by: str = ""
    brand: BrandSpec = AURORA
    javascript: bool = True
    noise: str = r"$^"  # What the browser may say on the way, beside the status.

    @property
    def group(self) -> str:
        """The page, whose states lie on one sheet."""
        return self.name.partition(":")[0]

    @property
    def slug(self) -> str:
        """For names of files."""
        return "-".join(self.name.replace(":", "").split())


def row(name: str, *steps: Step, says: str = "", **more: object) -> State:
    """A State whose steps stand in a row."""
    return State(name, steps, says, **more)  # type: ignore[arg-type]


class Visits:
    """Makes visitors and leads them to states; nobody signs in twice."""

    def __init__(
        self,
        stack: Stack,
        new_context: Callable[..., tuple[BrowserContext, Watch]],
        keys: dict[tuple[str, str], list[dict[str, Any]]],
    ) -> None:
        self.stack, self.new_context, self.keys = stack, new_context, keys

    def reach(self, state: State, **options: object) -> Page:
        """The page in that state, the carrier as new but for it. Whatever else goes wrong is noted."""
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
            visitor.come_as(state.by, self.keys)
        for step in state.steps:
            step(visitor)
        # A first view whose figures come late has been begun with 200, whatever comes of it.
        late = {200} if state.group in ("home", "statement") else set()
        right = {state.status} | late
        assert visitor.status in right, f"{state.name}: {visitor.status} at {visitor.page.url}"
        return visitor.page

    def with_scripts(self, page: Page) -> Page:
        """What a browser without JavaScript shows, in one with it: without, nothing can look at the page."""
        html = re.sub(r"<script.*?</script>", "", page.content(), flags=re.S).replace("noscript", "div")
        context, _ = self.new_context()
        copy = context.new_page()
        copy.route(page.url, lambda route: route.fulfill(body=html, content_type="text/html"))
        copy.goto(page.url)
        return copy
