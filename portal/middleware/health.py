"""/healthz and /readyz."""

import time

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.resilience import redis_guard
from portal.web.http import plain_text_response


def health(get_response: Next) -> Next:
    """Answer /healthz (the process lives) and /readyz (it can serve) on any host, before anything else.

    A node without the cache is ready, and says in its answer what does not work. All nodes share one Redis:
    were they not ready without it, a load balancer would have none left to send visitors to, although each of
    them still serves whatever is read. Without the database no node serves anything.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return plain_text_response("ok")
        if request.path_info == "/readyz":
            problem = _not_ready()
            return plain_text_response(problem, 503) if problem else plain_text_response(_ready())
        return get_response(request)

    return middleware


_MIGRATED_FOR = 60  # Seconds for which migrations that were complete are not looked for again.
_migrated_until = 0.0


def _not_ready() -> str:
    """What keeps it from serving, in a word; else empty. The carrier is not asked: it is not ours."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated():
            return "migrations are pending"
    except Error:
        return "database unreachable"
    return ""


def _ready() -> str:
    return "ready" if redis_guard.is_available() else "ready, but the cache does not answer"


def _migrated() -> bool:
    """Whether the database has all that this version knows of; one that has more serves a newer one too."""
    global _migrated_until
    if time.monotonic() < _migrated_until:
        return True
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    _migrated_until = time.monotonic() + _MIGRATED_FOR
    return True
