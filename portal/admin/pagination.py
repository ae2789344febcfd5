"""Lists of the admin that stay quick however long they are."""

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext

_KEY = re.compile(r"[0-9]{1,18}")


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than this many rows: who wants older ones narrows the list."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, or the most that are shown."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class BoundedListMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list of the first 10,000 of what it finds; nobody acts on more than it shows."""

    show_full_result_count = False
    paginator = BoundedPaginator

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """All would be more than the list says there are, so it has to be narrowed first.

        Raises BadRequest for a ticked row that no list can hold; Django would answer 500.
        """
        if not all(_KEY.fullmatch(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("a ticked row has no number")
        everything = forms.BooleanField().to_python(request.POST.get("select_across"))
        if everything and queryset.order_by()[BoundedPaginator.MOST :].exists():
            words = gettext(
                "The list finds more than it shows, so nothing was done. Narrow it, then choose all."
            )
            self.message_user(request, words, messages.WARNING)
            return None
        return super().response_action(request, queryset, *args, **kwargs)
