"""Keep long lists of the admin fast: count and show at most 10,000 rows."""

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
    """Paginator that counts at most MAX_ROWS rows. Filters show older ones."""

    MAX_ROWS = 10_000

    @cached_property
    def count(self) -> int:
        """The number of rows, at most MAX_ROWS."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MAX_ROWS].count())


class BoundedListMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list of at most 10,000 rows. Actions apply to no more than it shows."""

    show_full_result_count = False
    paginator = BoundedPaginator

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        """Refuse an action on all rows if there are more than the list shows.

        Raise BadRequest for a selected key that is not a number, where Django would answer 500.
        """
        if not all(_KEY.fullmatch(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("a ticked row has no number")
        all_selected = forms.BooleanField().to_python(request.POST.get("select_across"))
        if all_selected and queryset.order_by()[BoundedPaginator.MAX_ROWS :].exists():
            words = gettext(
                "The list finds more than it shows, so nothing was done. Narrow it, then choose all."
            )
            self.message_user(request, words, messages.WARNING)
            return None
        return super().response_action(request, queryset, *args, **kwargs)
