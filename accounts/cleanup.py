"""What `manage.py tick` removes of what visits leave behind."""

from django.utils import timezone

from accounts.customer_import.pending import prune_imports
from accounts.models import SignIn, SignInCode, Submission


def prune_accounts() -> int:
    """Codes, forms, sign-ins and files to import past their time; how many."""
    now = timezone.now()
    old = (
        SignInCode.objects.filter(expires_at__lt=now - SignInCode.KEPT),
        Submission.objects.filter(created_at__lt=now - Submission.LIFETIME),
        SignIn.objects.filter(at__lt=now - SignIn.KEPT),
    )
    return sum(rows.delete()[0] for rows in old) + prune_imports()
