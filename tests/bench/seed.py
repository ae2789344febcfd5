"""Fill the portal's database and print session keys: `python -m tests.bench.seed CARRIER [million]`."""
# ruff: noqa: E402 - Django must be set up before its models can be imported.

import os
import sys
from datetime import timedelta

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.models import TotpDevice, User
from billing.models import CachedStatement
from billing.statements.periods import complete_months, this_month, today
from portal.admin import sessions
from portal.models import Brand
from portal.security.crypto import encrypt
from tests.support.article_statement import EXAMPLE

MILLION = """
INSERT INTO accounts_user (password, is_superuser, first_name, last_name, is_staff, is_active, date_joined,
  username, email, company_name, phone, account_number, offered_account_number, refused_account_number,
  verified_at, brand_id, language, account_type)
SELECT '!' || n, false, 'First' || n %% 977, 'Last' || n %% 991, false, true, now(),
  'm' || n, 'customer' || n || '@example.com', '', '', (900000 + n)::text, '', '', now(), %s, '', 'prepaid'
  FROM generate_series(1, 1000000) AS n
"""


def create_session(user: User, realm: str, **more: str) -> SessionStore:
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = "accounts.backends.StaffBackend"
    session["realm"] = realm
    session.update(more)
    return session


def seed(carrier: str) -> None:
    fields = {
        "currency": "AUD",
        "timezone": "Australia/Sydney",
        "language": "en-au",
        "support_email": "help@aurora.example",
        "support_phone": "+61 2 5550 0100",
        "from_email": "no-reply@aurora.example",
        "terms_url": "https://aurora.example/terms",
        "privacy_url": "https://aurora.example/privacy",
        "recaptcha_site_key": "aurora-site-key",
    }
    brand = Brand.objects.create(
        slug="aurora",
        name="Aurora Phone",
        carrier_url=carrier,
        carrier_key=encrypt("aurora-api-key"),
        **fields,
    )
    brand.hosts.create(host="aurora.localhost")
    alice = User(brand=brand, email="alice@example.com", account_number="70001", first_name="Alice")
    alice.verified_at = timezone.now()
    alice.set_unusable_password()
    alice.save()
    cache_statements(brand, alice)
    customer = create_session(alice, f"brand-{brand.pk}")
    olga = User.objects.create_superuser("olga", "olga@example.com", "correct horse battery")
    device = TotpDevice.objects.create(user=olga, key=encrypt("A" * 32), confirmed=True, name="app")
    operator = create_session(olga, "admin", **{DEVICE_ID_SESSION_KEY: device.persistent_id})
    sessions.begin(operator)
    others = [create_session(each, f"brand-{brand.pk}") for each in customers(brand, 80)]
    for session in (customer, operator, *others):
        session.save()
        print(session.session_key)


def customers(brand: Brand, number: int) -> list[User]:
    """Create customers unknown to the carrier, without cached statements."""
    users = [
        User(brand=brand, email=f"crowd{nth}@example.com", account_number=str(60000 + nth), password="!")
        for nth in range(number)
    ]
    return User.objects.bulk_create(users)


def cache_statements(brand: Brand, customer: User) -> None:
    """Cache statements that stay fresh during a benchmark."""
    day, fresh = today(brand), timezone.now() + timedelta(hours=6)
    for period in [this_month(day), *complete_months(day, 12)]:
        CachedStatement.objects.create(
            brand=brand,
            customer=customer,
            account_number=customer.account_number,
            from_date=period.from_date,
            to_date=period.to_date,
            figures=EXAMPLE,
            as_of=fresh,
            attempted_at=fresh,
            is_open=period.to_date >= day,
        )


def million() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MILLION, [Brand.objects.get().pk])
        cursor.execute("ANALYZE accounts_user")


if __name__ == "__main__":
    million() if sys.argv[1] == "million" else seed(sys.argv[1])
