"""What cannot be deleted says what is in the way: rows that are kept, and not somebody's permissions."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import PROTECT
from django.http import HttpRequest


class DeletionMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A page about deleting that names kept rows, as `protected`; the template says what to do instead."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Look for kept rows first: all that belongs to a brand may be very many."""
        if kept := self._in_the_way(list(objs), request):
            return [], {}, set(), kept
        return super().get_deleted_objects(objs, request)

    def _in_the_way(self, objs: list[Any], request: HttpRequest) -> list[str]:
        """The kinds of rows that are about one of these and that nobody deletes, in the reader's language."""
        return [
            str(relation.related_model._meta.verbose_name_plural)
            for relation in self._relations()
            if self._stays(relation, request)
            and relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": objs}).exists()
        ]

    def _relations(self) -> Iterable[Any]:
        every: Iterable[Any] = self.opts.get_fields(include_hidden=True)
        return (each for each in every if each.auto_created and (each.one_to_many or each.one_to_one))

    def _stays(self, relation: Any, request: HttpRequest) -> bool:
        model, site = relation.related_model, self.admin_site
        if relation.on_delete is PROTECT:
            return True
        return site.is_registered(model) and not site.get_model_admin(model).has_delete_permission(request)
