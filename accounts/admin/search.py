"""Search of the user list in the admin: exact matches first, by an index; phone numbers by their digits."""

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
_SEPARATORS = " +()./-"  # Between the digits of a stored phone number.
_MIN_DIGITS = 6  # A term with fewer digits is no phone number.
_NATIONAL_DIGITS = 8  # The last digits are the same with and without the country code.


class UserSearchMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Search of the user list."""

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
        "Search by all or part of an email address, name, company or account number, or by phone number. "
        "We show the first 10,000. Narrow your search to see others."
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Return the exact matches of an address or account number, found by an index, if there are any."""
        term = search_term.strip()
        numbers = Q(account_number=term) | Q(refused_account_number=term)
        address = with_email(term)  # Unique among customers and among staff, by an index each.
        exact = queryset.filter(numbers | address & Q(brand=None) | address & Q(brand__isnull=False))
        if term and exact.exists():
            return exact, False
        digits = re.sub("[^0-9]", "", term)
        if _PHONE.fullmatch(term) and len(digits) >= _MIN_DIGITS:
            text_match: Any = reduce(or_, (Q(**{f"{name}__icontains": term}) for name in self.search_fields))
            return queryset.filter(
                text_match | Q(Contains(_digits("phone"), digits[-_NATIONAL_DIGITS:]))
            ), False
        return super().get_search_results(request, queryset, search_term)


def _digits(name: str) -> Any:
    """Return the digits of a column: “+61 411 222 333” and “(0411) 222-333” share the last eight."""
    expression: Any = F(name)
    for separator in _SEPARATORS:
        expression = Replace(expression, Value(separator), Value(""))
    return expression
