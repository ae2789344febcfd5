"""Queries that are composed once: Django takes longer to compose one than the database takes to answer it.

For the few that nearly every page makes. A queryset gives the SQL; what it was filtered by is replaced at
each call. So it must be one whose SQL does not depend on its values, with each filter in a call of its own:

    _by_host = Composed(lambda: Brand.objects.filter(hosts__host=""))
    _by_host.rows("portal.example.com")
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


class Composed(Generic[Row]):
    """What `make` gives, composed when it is first asked for."""

    def __init__(self, make: Callable[[], QuerySet[Row]]) -> None:
        self._make = make

    @cached_property
    def _parts(self) -> tuple[str, QuerySet[Row], str, list[Any], list[str]]:
        queryset = self._make()
        compiler = queryset.query.get_compiler(queryset.db)
        sql, _values = compiler.as_sql()
        columns = [column for column, *_ in compiler.select]
        return queryset.db, queryset, sql, columns, [column.target.attname for column in columns]

    def rows(self, *values: object) -> list[Row]:
        """The rows for these values, which stand in the order of the filters."""
        database, queryset, sql, columns, names = self._parts
        connection = connections[database]
        with connection.cursor() as cursor:
            cursor.execute(sql, [_adapted(value, connection.ops) for value in values])
            found = cursor.fetchall()
        compiler = queryset.query.get_compiler(connection=connection)
        if converters := compiler.get_converters(columns):
            found = compiler.apply_converters(found, converters)
        return [queryset.model.from_db(database, names, row) for row in found]

    def row(self, *values: object) -> Row | None:
        """The first of them."""
        return next(iter(self.rows(*values)), None)


def _adapted(value: object, operations: Any) -> Any:
    """Moments and days as this database takes them; a queryset would do it by the column's type."""
    if isinstance(value, datetime):
        return operations.adapt_datetimefield_value(value)
    return operations.adapt_datefield_value(value) if isinstance(value, date) else value
