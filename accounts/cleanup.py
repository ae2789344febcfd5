"""Cleanup of expired rows of accounts, run by `manage.py tick`."""

from django.utils import timezone

from accounts.customer_import.pending import prune_imports
from accounts.models import SignIn, SignInCode, Submission


def prune_accounts() -> int:
    """Delete expired sign-in codes, submissions, sign-ins and pending imports. Return their number."""
    now = timezone.now()
    expired = (
        SignInCode.objects.filter(expires_at__lt=now - SignInCode.RETENTION),
        Submission.objects.filter(created_at__lt=now - Submission.LIFETIME),
        SignIn.objects.filter(at__lt=now - SignIn.RETENTION),
    )
    return sum(rows.delete()[0] for rows in expired) + prune_imports()
