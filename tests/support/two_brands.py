"""Two brands with a row of everything; rows of Borealis are recognisable, so that no page can hide one."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q
from django.utils import timezone

from accounts.models import CustomerImport, RecoveryCode, SignIn, SignInCode, StaffEvent, Submission, User
from billing.models import CachedStatement, LimitsChange, Move, MoveEvent, MovePolicy
from portal.models import Brand, BrandPreview, CarrierCall, Email
from portal.security.crypto import encrypt

MARK = "zebra"  # Appears in each text of Borealis, and in none of Aurora.
MISSING = 770_999
FOREIGN_PKS = {"brand": 770_001, "user": 770_002, "row": 770_003, "staff": 770_004}


@dataclass(frozen=True)
class World:
    """The users, and of each model one row of Aurora and one of Borealis."""

    aurora: Brand
    borealis: Brand
    sam: User
    own: dict[str, Any]
    foreign: dict[str, Any]


def create_world(aurora: Brand, borealis: Brand, operator: User) -> World:
    """Create every kind of row for both brands, and Sam, who works for Aurora."""
    Brand.objects.filter(pk=borealis.pk).delete()
    sam = _staff("sam@example.com", aurora)
    stan = _staff(f"stan@{MARK}.example", None, pk=FOREIGN_PKS["staff"])
    other = _brand(borealis, stan)
    own = _rows(aurora, "aurora", sam, None)
    foreign = _rows(other, MARK, stan, FOREIGN_PKS)
    # From the time when Sam worked for Borealis.
    CustomerImport.objects.update(by=sam)
    for by in (operator, stan, sam):  # Sam has worked for Borealis before.
        _log(by, foreign["accounts.User"])
        _log(by, foreign["portal.Brand"])
    RecoveryCode.objects.create(user=stan, code_hash=MARK)
    StaffEvent.objects.create(user=stan, by=operator, kind="enrolled", at=timezone.now())
    return World(aurora, other, sam, own, foreign)


def _staff(email: str, brand: Brand | None, **fields: Any) -> User:
    person = User(email=email, is_staff=True, **fields)
    person.set_password("correct horse battery")
    person.save()
    person.brands.set([brand] if brand else [])
    return person


def _brand(brand: Brand, stan: User) -> Brand:
    brand.pk = FOREIGN_PKS["brand"]
    brand.slug, brand.name = MARK, f"{MARK} Phone"
    brand.support_email, brand.support_phone = f"help@{MARK}.example", f"+44 {MARK}"
    brand.from_email = f"{MARK} <no-reply@{MARK}.example>"
    brand.terms_url = brand.privacy_url = f"https://{MARK}.example/terms"
    brand.carrier_url = f"https://{MARK}-carrier.example/api/"
    brand.login_hosts = [f"{MARK}-login.example"]
    brand.recaptcha_site_key = f"{MARK}-site-key"
    brand.carrier_key = encrypt(f"{MARK}-key")
    brand.logo, brand.logo_type, brand.logo_hash = f"{MARK} logo".encode(), "image/png", MARK
    brand.save(force_insert=True)
    brand.hosts.create(host=f"{MARK}.test")
    stan.brands.add(brand)
    return brand


def _rows(brand: Brand, mark: str, person: User, pks: dict[str, int] | None) -> dict[str, Any]:
    """Create one row of each model; return them by label."""
    user_pk = {"pk": pks["user"]} if pks else {}
    row_pk = {"pk": pks["row"]} if pks else {}
    now = timezone.now()
    customer = User(brand=brand, email=f"zoe@{mark}.example", account_number=f"{mark}-9", **user_pk)
    customer.first_name, customer.last_name = f"{mark} first", f"{mark} last"
    customer.company_name, customer.phone = f"{mark} company", f"+1 {mark}"
    customer.refused_account_number = f"{mark}-8"
    customer.set_unusable_password()
    customer.save()
    common = {"brand": brand, "customer": customer}
    figures = dict.fromkeys(
        ("opening_balance", "payments", "adjustments", "call_charges", "other_charges", "total_charges"), "1"
    )
    figures["closing_balance"] = "4242.42" if pks else "17.17"
    transfer = Move.objects.create(
        **common,
        **row_pk,
        account_number=f"{mark}-9",
        amount=Decimal("3.50"),
        description=f"{mark} move",
        state=Move.State.WAITING,
        asked_by=person,
        asked_at=now,
    )
    event = MoveEvent.objects.create(
        move=transfer,
        at=now,
        by=person,
        state=transfer.state,
        brand=brand.slug,
        account_number=f"{mark}-9",
        amount=transfer.amount,
        operation=transfer.operation,
        note=f"{mark} note",
    )
    rows: list[Any] = [
        brand,
        customer,
        transfer,
        event,
        brand.overrides.create(method="move_funds", path=f"{mark}-path"),
        brand.response_codes.create(code=f"{mark}-code", meaning="email_taken"),
        brand.hosts.first(),
        BrandPreview.objects.create(brand=brand, look={"name": mark}, kept=True, made_at=now),
        CarrierCall.objects.create(
            **common,
            **row_pk,
            method="move_funds",
            outcome="ok",
            milliseconds=1,
            operation=f"{mark}-operation",
            reference=f"{mark.upper()}-1",
        ),
        Email.objects.create(
            **row_pk,
            brand=brand,
            person=customer,
            template="sign_in_code",
            to=f"{mark}@example.com",
            refusal=f"550 {mark} refused",
        ),
        SignInCode.objects.create(
            brand=brand,
            user=customer,
            code_hash=mark,
            browser_hash=mark,
            created_at=now,
            expires_at=now,
        ),
        SignIn.objects.create(user=customer, at=now, browser=f"{mark} browser", system=f"{mark} system"),
        Submission.objects.create(brand=brand, kind=mark, token_hash=mark, created_at=now),
        CachedStatement.objects.create(
            brand=brand,
            from_date=date(2020, 1, 1),
            to_date=date(2020, 1, 2),
            figures=figures,
            as_of=now,
            is_open=True,
            attempted_at=now,
        ),
        policy := MovePolicy.objects.create(brand=brand, stopped_why=f"{mark} why", stopped_at=now),
        LimitsChange.objects.create(policy=policy, per_move=Decimal(10**6), asked_by=person, asked_at=now),
        CustomerImport.objects.create(
            **row_pk,
            brand=brand,
            by=person,
            name=f"{mark}.csv",
            data=f"email,account_number\nx@{mark}.example,{mark}-7".encode(),
            made_at=now,
        ),
    ]
    return {row._meta.label: row for row in rows}


def _log(by: User, row: Model) -> None:
    LogEntry.objects.create(
        user=by,
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=f"{MARK} logged",
        action_flag=CHANGE,
        change_message=f"{MARK} changed",
    )


# How each model's rows belong to a brand. A new model needs a line here.
_OF_BRAND = Q(brand=FOREIGN_PKS["brand"])
_OF_PERSON = ~Q(user__email="sam@example.com")
FOREIGN: dict[str, Q | None] = {
    "portal.CarrierCall": _OF_BRAND,
    "portal.Email": _OF_BRAND,
    "portal.JobRun": None,
    "portal.BrandPreview": _OF_BRAND,
    "portal.Brand": Q(pk=FOREIGN_PKS["brand"]),
    "portal.BrandHost": _OF_BRAND,
    "portal.MethodOverride": _OF_BRAND,
    "portal.ResponseCode": _OF_BRAND,
    "portal.Attempt": None,
    "accounts.CustomerImport": _OF_BRAND,
    "accounts.MutedNotice": _OF_PERSON,
    "accounts.TotpDevice": _OF_PERSON,
    "accounts.RecoveryCode": _OF_PERSON,
    "accounts.StaffEvent": _OF_PERSON,
    "accounts.User_brands": Q(),
    "accounts.User_groups": Q(),
    "accounts.User_user_permissions": Q(),
    "accounts.User": _OF_BRAND | (Q(brand=None) & ~Q(email="sam@example.com")),
    "accounts.SignInCode": _OF_BRAND,
    "accounts.SignIn": Q(user__brand=FOREIGN_PKS["brand"]),
    "accounts.Submission": _OF_BRAND,
    "billing.CachedStatement": _OF_BRAND,
    "billing.MovePolicy": _OF_BRAND,
    "billing.PartnerAlert": _OF_BRAND,
    "billing.LimitsChange": Q(policy__brand=FOREIGN_PKS["brand"]),
    "billing.Move": _OF_BRAND,
    "billing.MoveEvent": Q(move__brand=FOREIGN_PKS["brand"]),
    "admin.LogEntry": _OF_PERSON,
    "auth.Permission": Q(),
    "auth.Group_permissions": Q(),
    "auth.Group": Q(),
    "contenttypes.ContentType": None,
    "sessions.Session": None,
}


def foreign_rows() -> dict[str, list[dict[str, Any]]]:
    """Return every row Sam must not change, with all its columns."""
    found: dict[str, list[dict[str, Any]]] = {}
    for model in apps.get_models(include_auto_created=True):
        label = model._meta.label
        assert label in FOREIGN, f"say in tests/support/two_brands.py how a row of {label} belongs to a brand"
        if (narrowed := FOREIGN[label]) is not None:
            rows = model._default_manager.filter(narrowed).order_by("pk").values()
            found[label] = [{name: _bytes(value) for name, value in row.items()} for row in rows]
    return found


def _bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
