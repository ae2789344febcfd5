"""History of a customer's sign-ins: record, list and end them."""

from django.utils import timezone

from accounts.models import SignIn, User
from accounts.sign_in.user_agents import describe_user_agent


def record_sign_in(*, user: User, user_agent: str, language: str) -> SignIn:
    """Record a sign-in, and the page's language for later emails. Delete old rows."""
    browser, system = describe_user_agent(user_agent)
    row = SignIn.objects.create(user=user, at=timezone.now(), browser=browser, system=system)
    User.objects.filter(pk=user.pk).update(language=language)
    own = SignIn.objects.filter(user=user)
    own.filter(at__lt=row.at - SignIn.RETENTION).delete()
    surplus = list(own.order_by("-at", "-pk").values_list("pk", flat=True)[SignIn.MAX_PER_USER :])
    own.filter(pk__in=surplus).delete()
    return row


def name_device(browser: str, system: str) -> str:
    """Return "Firefox on Windows" in the current language, or what is known of it; empty if nothing is."""
    return SignIn(browser=browser, system=system).device if browser or system else ""


def list_sign_ins(*, user: User) -> list[SignIn]:
    """Return the customer's sign-ins of the last 90 days, at most 50, the newest first."""
    since = timezone.now() - SignIn.RETENTION
    return list(SignIn.objects.filter(user=user, at__gt=since).order_by("-at", "-pk")[: SignIn.MAX_PER_USER])


def end_sign_in(*, user: User, sign_in: int) -> None:
    """Record that the customer signed out."""
    SignIn.objects.filter(user=user, pk=sign_in, ended_at=None).update(ended_at=timezone.now())


def end_other_sign_ins(*, user: User, exclude: int = 0) -> None:
    """End the customer's sessions, except `exclude`, which the caller must bind to the user again.

    A session is bound to the value of `password`, which is unusable: a new value invalidates the session.
    """
    user.set_unusable_password()
    user.save(update_fields=["password"])
    SignIn.objects.filter(user=user, ended_at=None).exclude(pk=exclude).update(ended_at=timezone.now())
