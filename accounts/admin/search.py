"""Searching the list of people in the admin: what is written whole by an index, phones by their digits."""

import re
from functools import reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Replace
from django.db.models.lookups import Contains
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User, with_email

_PHONE = re.compile(r"[0-9 +()./-]+")
_BETWEEN = " +()./-"  # What stands between the digits of a stored phone.
_LEAST, _OWN = 6, 8  # Digits that make a phone; those that are alike with and without the country's code.


class PeopleSearchMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """How the list of people is searched."""

    search_fields = (
        "email",
        "first_name",
        "last_name",
        "company_name",
        "account_number",
        "refused_account_number",
        "phone",
    )
    search_help_text = _(
        "A whole email address or account number; part of an address, name, company or number; or a phone "
        "number, however it’s written. The list stops at 10,000 people: narrow it to see others."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """A whole address or number means that one, and it is found by an index."""
        term = search_term.strip()
        numbers = Q(account_number=term) | Q(refused_account_number=term)
        address = with_email(term)  # Unique among customers and among staff, by an index each.
        whole = queryset.filter(numbers | address & Q(brand=None) | address & Q(brand__isnull=False))
        if term and whole.exists():
            return whole, False
        digits = re.sub("[^0-9]", "", term)
        if _PHONE.fullmatch(term) and len(digits) >= _LEAST:
            anywhere: Any = reduce(or_, (Q(**{f"{name}__icontains": term}) for name in self.search_fields))
            return queryset.filter(anywhere | Q(Contains(_digits("phone"), digits[-_OWN:]))), False
        return super().get_search_results(request, queryset, search_term)


def _digits(name: str) -> Any:
    """The digits of a column: “+61 411 222 333” and “(0411) 222-333” have the last eight in common."""
    found: Any = F(name)
    for sign in _BETWEEN:
        found = Replace(found, Value(sign), Value(""))
    return found
