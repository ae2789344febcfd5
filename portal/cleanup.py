"""What `manage.py tick` removes of the portal's own rows."""

from django.utils import timezone

from portal.models import BrandPreview
from portal.preview.drafts import LIFETIME
from portal.resilience import rate_limits


def prune_portal() -> int:
    """Previews past their seven days, and tries that no limit counts any more; how many."""
    previews = BrandPreview.objects.filter(made_at__lt=timezone.now() - LIFETIME).delete()[0]
    return previews + rate_limits.prune_attempts()
