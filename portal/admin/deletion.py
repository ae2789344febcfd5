"""Explain why a row cannot be deleted: name the related rows that must stay."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import PROTECT
from django.http import HttpRequest


class DeletionMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """List the kinds of related rows that must stay as `protected`. The template says what to do instead."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Look for such rows first, because collecting all rows of a brand may take long."""
        if protected := self._protected_kinds(list(objs), request):
            return [], {}, set(), protected
        return super().get_deleted_objects(objs, request)

    def _protected_kinds(self, objs: list[Any], request: HttpRequest) -> list[str]:
        """Return the names of the related models whose rows must stay, in the user's language."""
        return [
            str(relation.related_model._meta.verbose_name_plural)
            for relation in self._relations()
            if self._must_stay(relation, request)
            and relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": objs}).exists()
        ]

    def _relations(self) -> Iterable[Any]:
        fields: Iterable[Any] = self.opts.get_fields(include_hidden=True)
        return (field for field in fields if field.auto_created and (field.one_to_many or field.one_to_one))

    def _must_stay(self, relation: Any, request: HttpRequest) -> bool:
        model, site = relation.related_model, self.admin_site
        if relation.on_delete is PROTECT:
            return True
        return site.is_registered(model) and not site.get_model_admin(model).has_delete_permission(request)
