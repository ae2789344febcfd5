"""Delete old rows of the portal app, and of sessions."""

from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.models import BrandPreview
from portal.preview.drafts import LIFETIME
from portal.resilience import rate_limits


def prune_portal() -> int:
    """Delete previews after seven days, and attempts that no limit counts any more. Return how many."""
    previews = BrandPreview.objects.filter(made_at__lt=timezone.now() - LIFETIME).delete()[0]
    return previews + rate_limits.prune_attempts()


def prune_sessions() -> int:
    """Delete sessions that have ended. Return how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
