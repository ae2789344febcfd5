"""History of a customer's sign-ins: record, list and end them."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import SignIn, User
from accounts.sign_in.user_agents import describe_user_agent


def record_sign_in(
    *, user: User, user_agent: str, language: str, lasts: timedelta, session_key: str, device_id: str
) -> SignIn:
    """Record a sign-in, and the page's language for later emails. Delete old rows.

    An earlier session of the same browser ends, as it has no cookie for it any more.
    """
    browser, system = describe_user_agent(user_agent)
    now = timezone.now()
    row = SignIn.objects.create(
        user=user,
        at=now,
        browser=browser,
        system=system,
        expires_at=now + lasts,
        session_key=session_key,
        device_id=device_id,
    )
    User.objects.filter(pk=user.pk).update(language=language)
    own = SignIn.objects.filter(user=user)
    if device_id:
        earlier = own.filter(device_id=device_id, ended_at=None, expires_at__gt=now).exclude(pk=row.pk)
        _delete_sessions(earlier)
        earlier.update(expires_at=now)
    own.filter(at__lt=now - SignIn.RETENTION).delete()
    _prune(own)
    return row


def name_device(browser: str, system: str) -> str:
    """Return "Firefox on Windows" in the current language, or what is known of it; empty if nothing is."""
    return SignIn(browser=browser, system=system).device if browser or system else ""


def _prune(own: QuerySet[SignIn]) -> None:
    """Delete surplus rows, first those that have ended. With the row of a live one its session ends."""
    rows = own.only("at", "ended_at", "expires_at").order_by("-at", "-pk")
    live_first = sorted(rows, key=lambda row: row.live, reverse=True)
    if last := live_first[SignIn.MAX_PER_USER :]:
        surplus = own.filter(pk__in=[row.pk for row in last])
        _delete_sessions(surplus)
        surplus.delete()


def _delete_sessions(sign_ins: QuerySet[SignIn]) -> int:
    """Delete the sessions of these sign-ins; return how many there were."""
    keys = sign_ins.exclude(session_key="").values("session_key")
    return Session.objects.filter(session_key__in=keys).delete()[0]


def list_sign_ins(*, user: User) -> list[SignIn]:
    """Return the customer's sign-ins of the last 90 days, at most 50, the newest first."""
    since = timezone.now() - SignIn.RETENTION
    return list(SignIn.objects.filter(user=user, at__gt=since).order_by("-at", "-pk")[: SignIn.MAX_PER_USER])


def end_sign_in(*, user: User, sign_in: int) -> None:
    """Record that the customer signed out."""
    own = SignIn.objects.filter(user=user, pk=sign_in, ended_at=None)
    own.update(ended_at=timezone.now(), session_key="")


def end_device(*, user: User, sign_in: int) -> bool:
    """End the session of one of the customer's sign-ins, and count its browser as a new one from then on.

    It is marked first and its session deleted afterwards: see `move_sign_in`. Return False if there was no
    session with the recorded key: it may go on under another, which `end_other_sign_ins` alone ends.
    """
    own = SignIn.objects.filter(user=user, pk=sign_in)
    own.filter(ended_at=None).update(ended_at=timezone.now(), revoked=True)
    found = _delete_sessions(own)
    own.update(session_key="")
    return bool(found)


def is_revoked(*, user: User, device_id: str) -> bool:
    """Return True if this browser's last sign-in was ended from another device."""
    own = SignIn.objects.filter(user=user, device_id=device_id).order_by("-at", "-pk")
    return bool(own.values_list("revoked", flat=True).first())


def move_sign_in(*, user: User, sign_in: int, session_key: str) -> bool:
    """Record the new key of a sign-in's session. Return False if the customer has just ended it.

    The caller must then flush the session, because only the one with the former key has been deleted.
    """
    own = SignIn.objects.filter(user=user, pk=sign_in)
    return bool(own.filter(ended_at=None).update(session_key=session_key)) or not own.exists()


def end_other_sign_ins(*, user: User, exclude: int = 0) -> None:
    """End the customer's sessions, except `exclude`, which the caller must bind to the user again.

    A session is bound to the value of `password`, which is unusable: a new value invalidates the session.
    """
    user.set_unusable_password()
    user.save(update_fields=["password"])
    others = SignIn.objects.filter(user=user, ended_at=None).exclude(pk=exclude)
    others.update(ended_at=timezone.now(), session_key="")
