"""The portal app: brands and everything that belongs to no customer."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    """Registers the start checks and what Prometheus asks for, and begins to tell Sentry."""

    name = "portal"
    verbose_name = _("Brands")

    def ready(self) -> None:
        """Import the checks, so that they are registered."""
        from portal.monitoring import metrics
        from portal.resilience import redis_guard

        metrics.gauge_from(
            "portal_store_answers", "1 while Redis answers this node.", (), redis_guard.as_metric
        )
        if settings.SENTRY_DSN:
            from portal.monitoring import sentry  # Only now: it costs a tenth of a second.

            sentry.start(settings.SENTRY_DSN)
