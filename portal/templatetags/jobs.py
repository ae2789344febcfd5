"""Template tag that tells operators when no background jobs run."""

from typing import Any

from django import template

from portal.jobs import health

register = template.Library()


@register.inclusion_tag("admin/portal/_no_worker.html")
def no_worker_notice() -> dict[str, Any]:
    """Render the notice if no background job has begun for five minutes."""
    last = health.last_run()
    return {"late": health.is_late(last), "last": last}
