"""Health checks: /healthz and /readyz."""

import time

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from portal.jobs import health as jobs_health
from portal.middleware import Next
from portal.resilience import redis_guard
from portal.web.http import plain_text_response


def health(get_response: Next) -> Next:
    """Answer /healthz (the process runs) and /readyz (it can serve pages) on any host.

    Later middleware does not run for them. A node without Redis or a worker is ready, and its answer says so.
    All nodes share one Redis: if they were not ready without it, a load balancer would have no node left,
    although each can still serve pages that only read. Without the database no node can serve anything.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return plain_text_response("ok")
        if request.path_info == "/readyz":
            return _ready()
        return get_response(request)

    return middleware


_MIGRATIONS_SECONDS = 60  # Complete migrations are not checked again for so long.
_migrated_until = 0.0


def _ready() -> HttpResponse:
    """Tell whether this node can serve pages. The carrier is not checked: it is not ours."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _is_migrated():
            return plain_text_response("migrations are pending", 503)
        jobs = jobs_health.describe()
    except Error:
        return plain_text_response("database unreachable", 503)
    cache = "" if redis_guard.is_available() else "the cache does not answer"
    problems = " and ".join(problem for problem in (cache, jobs) if problem)
    return plain_text_response(f"ready, but {problems}" if problems else "ready")


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
