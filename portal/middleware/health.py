"""Health checks: /healthz and /readyz."""

import time

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.resilience import redis_guard
from portal.web.http import plain_text_response


def health(get_response: Next) -> Next:
    """Answer /healthz (the process runs) and /readyz (it can serve pages) on any host.

    Later middleware does not run for them. A node without Redis is ready, and its answer says that the cache
    does not work. All nodes share one Redis: if they were not ready without it, a load balancer would have no
    node left, although each can still serve pages that only read. Without the database no node can serve
    anything.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return plain_text_response("ok")
        if request.path_info == "/readyz":
            problem = _find_problem()
            return plain_text_response(problem, 503) if problem else plain_text_response(_ready_text())
        return get_response(request)

    return middleware


_MIGRATIONS_SECONDS = 60  # Complete migrations are not checked again for so long.
_migrated_until = 0.0


def _find_problem() -> str:
    """Return why this node cannot serve pages, else empty. The carrier is not checked: it is not ours."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _is_migrated():
            return "migrations are pending"
    except Error:
        return "database unreachable"
    return ""


def _ready_text() -> str:
    return "ready" if redis_guard.is_available() else "ready, but the cache does not answer"


def _is_migrated() -> bool:
    """Return True if the database has all migrations of this version. It may have newer ones too."""
    global _migrated_until
    if time.monotonic() < _migrated_until:
        return True
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    _migrated_until = time.monotonic() + _MIGRATIONS_SECONDS
    return True
