"""Configuration of the portal app."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    """The portal app: brands and everything that belongs to no customer."""

    name = "portal"
    verbose_name = _("Brands")

    def ready(self) -> None:
        """Register the checks and gauges, and start Sentry if it is configured."""
        from portal import checks  # noqa: F401 (importing it registers them)
        from portal.jobs import health
        from portal.mail import outbox
        from portal.monitoring import metrics
        from portal.resilience import redis_guard

        metrics.gauge_from(
            "portal_store_answers", "1 while Redis answers this node.", (), redis_guard.as_metric
        )
        words = "Seconds since a background job last ended without an error."
        metrics.gauge_from("portal_job_age_seconds", words, ("job",), health.get_ages)
        words = "Runs of a background job that failed in the last hour."
        metrics.gauge_from("portal_job_failures", words, ("job",), health.count_failures)
        metrics.gauge_from("portal_job_queue", "Messages that wait for a worker.", (), health.count_messages)
        metrics.gauge_from("portal_emails_waiting", "Emails that wait to be sent.", (), outbox.count_waiting)
        if settings.SENTRY_DSN:
            from portal.monitoring import sentry  # Imported late: it takes a tenth of a second.

            sentry.start(settings.SENTRY_DSN)
