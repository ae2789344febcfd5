"""Lists of the admin that stay quick however long they are."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than this many rows: who wants older ones narrows the list."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, or the most that are shown."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())
