"""List filters of the user admin."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from portal.admin.scoping import BrandFilter as BrandFilter


class _ChoiceFilter(SimpleListFilter):
    """A filter with fixed choices: value → (label, condition)."""

    options: dict[str, tuple[Any, Q]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(value, words) for value, (words, _condition) in self.options.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        chosen = self.options.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class KindFilter(_ChoiceFilter):
    """Filter by kind of user: customers, staff or operators."""

    title = _("kind")
    parameter_name = "kind"
    options = {
        "customer": (_("Customers"), Q(brand__isnull=False)),
        "staff": (_("Staff"), Q(brand=None, is_superuser=False)),
        "operator": (_("Operators"), Q(brand=None, is_superuser=True)),
    }


class NumberFilter(_ChoiceFilter):
    """Filter customers whose account number staff must check."""

    title = _("account number")
    parameter_name = "number"
    options = {
        "without": (_("Without account number"), Q(brand__isnull=False, account_number="")),
        "refused": (_("Account number refused"), Q(brand__isnull=False) & ~Q(refused_account_number="")),
    }
