"""`manage.py tick` deletes rows when their retention period is over, and not before."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db.models import Model
from django.utils import timezone

from accounts.models import SignIn, SignInCode, Submission, User
from portal.models import Attempt, Brand, BrandPreview, CarrierCall
from tests.support.jobs import tick

pytestmark = [pytest.mark.django_db, pytest.mark.database]
Made = Callable[[Brand, User, datetime], Model]


def code(brand: Brand, user: User, at: datetime) -> Model:
    times = {"created_at": at - SignInCode.LIFETIME, "expires_at": at}
    return SignInCode.objects.create(brand=brand, user=user, code_hash="c", browser_hash="b", **times)


def submission(brand: Brand, user: User, at: datetime) -> Model:
    return Submission.objects.create(brand=brand, kind="sign_up", token_hash=f"{at}", created_at=at)


def sign_in(brand: Brand, user: User, at: datetime) -> Model:
    return SignIn.objects.create(user=user, at=at)


def preview(brand: Brand, user: User, at: datetime) -> Model:
    return BrandPreview.objects.create(brand=brand, look={}, kept=True, made_at=at)


def attempt(brand: Brand, user: User, at: datetime) -> Model:
    return Attempt.objects.create(action="sign_in_code", address="a", network="n", at=at)


def carrier_call(brand: Brand, user: User, at: datetime) -> Model:
    return CarrierCall.objects.create(
        brand=brand, method="reset_password", outcome="ok", milliseconds=1, at=at
    )


def session(brand: Brand, user: User, at: datetime) -> Model:
    return Session.objects.create(session_key=f"{at:%H%M%S%f}", session_data="", expire_date=at)


@pytest.mark.parametrize(
    ("make", "retention"),
    [
        (code, timedelta(days=1)),
        (submission, timedelta(minutes=10)),
        (sign_in, timedelta(days=90)),
        (preview, timedelta(days=7)),
        (attempt, timedelta(days=1)),
        (carrier_call, timedelta(days=30)),
        (session, timedelta(0)),
    ],
)
def test_rows_are_kept_exactly_as_long_as_documented(
    aurora: Brand, alice: User, make: Made, retention: timedelta
) -> None:
    now, moment = timezone.now(), timedelta(minutes=1)
    old, young = make(aurora, alice, now - retention - moment), make(aurora, alice, now - retention + moment)
    tick()
    assert list(type(old)._default_manager.all()) == [young]
