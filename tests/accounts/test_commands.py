"""The commands `create_operator` and `set_password`."""

import sys
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import StaffEvent, User
from portal.models import Brand
from tests.conftest import ADMIN

PASSWORD = "correct horse battery"
Typed = Callable[..., None]


@pytest.fixture
def type_passwords(monkeypatch: pytest.MonkeyPatch, db: None) -> Typed:
    """Set the answers to the password prompts."""

    def set_answers(*answers: str) -> None:
        left: Iterator[str] = iter(answers)
        monkeypatch.setattr(
            "accounts.management.commands.create_operator.getpass", lambda _prompt: next(left)
        )

    set_answers()
    return set_answers


def refusal(email: str, **options: bool) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("create_operator", email, **options)
    return str(caught.value)


def test_new_operator_signs_in_with_email_and_password(type_passwords: Typed) -> None:
    type_passwords(PASSWORD, PASSWORD)
    call_command("create_operator", "olga@example.com", stdout=StringIO())
    olga = authenticate(username="Olga@example.com", password=PASSWORD)
    assert isinstance(olga, User)
    assert olga.is_superuser
    assert olga.is_staff
    assert olga.brand is None


def test_script_passes_the_password_on_standard_input(
    type_passwords: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(f"{PASSWORD}\n"))
    call_command("create_operator", "olga@example.com", password_from_stdin=True, stdout=StringIO())
    assert authenticate(username="olga@example.com", password=PASSWORD)


def test_email_in_use_by_staff_is_refused_before_the_password_prompt(
    type_passwords: Typed, operator: User
) -> None:
    output = refusal("OLGA@example.com")
    assert "has a place in the admin already" in output
    assert "set_password OLGA@example.com" in output


def test_customer_email_may_also_be_an_operator_email(type_passwords: Typed, alice: User) -> None:
    type_passwords(PASSWORD, PASSWORD)
    call_command("create_operator", alice.email, stdout=StringIO())
    assert User.objects.filter(email=alice.email).count() == 2


@pytest.mark.parametrize("email", ["olga", "", "olga@", f"{'o' * 250}@example.com"])
def test_invalid_email_is_refused(type_passwords: Typed, email: str) -> None:
    assert "is not an e-mail address" in refusal(email)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((PASSWORD, "something else"), "not the same"),
        (("short", "short"), "too short"),
        (("olga@example.com", "olga@example.com"), "too similar"),
    ],
)
def test_unacceptable_password_creates_no_operator(
    type_passwords: Typed, answers: tuple[str, str], words: str
) -> None:
    type_passwords(*answers)
    assert words in refusal("olga@example.com")
    assert not User.objects.exists()


# --- A forgotten password ---

NEW = "staple battery horse"


def test_set_password_replaces_the_password_and_ends_all_sessions(
    type_passwords: Typed, operator: User, aurora: Brand, browse: Callable[..., Client], caplog: Any
) -> None:
    client, out = browse(ADMIN, operator), StringIO()
    type_passwords(NEW, NEW)
    call_command("set_password", "OLGA@example.com", stdout=out)
    assert "olga@example.com is signed out everywhere" in out.getvalue()
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert authenticate(username="olga@example.com", password=NEW)
    assert authenticate(username="olga@example.com", password=PASSWORD) is None
    event = StaffEvent.objects.get()
    assert (event.user, event.kind, event.by) == (operator, "password_set", None)
    assert [record.person for record in caplog.records if record.msg == "admin password set"] == [operator.pk]
    assert [(each.to, each.from_email) for each in mail.outbox] == [([operator.email], aurora.from_email)]
    output = f"{mail.outbox[0].subject} {mail.outbox[0].body} {out.getvalue()} {caplog.text}"
    assert "set a new password" in output
    assert NEW not in output


def test_set_password_works_for_staff_and_reports_password_errors(
    type_passwords: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.create_user("sam", "sam@example.com", PASSWORD, is_staff=True, is_active=False)
    monkeypatch.setattr(sys, "stdin", StringIO(f"{NEW}\n"))
    err = StringIO()
    call_command("set_password", "sam@example.com", password_from_stdin=True, stdout=StringIO(), stderr=err)
    assert User.objects.get().check_password(NEW)
    assert "not active" in err.getvalue()
    assert "please tell the person yourself" in err.getvalue()  # There is no brand to send the email from.


def test_unacceptable_password_or_unknown_user_changes_nothing(
    type_passwords: Typed, operator: User, alice: User
) -> None:
    for answers, words in ((("short", "short"), "too short"), ((NEW, PASSWORD), "not the same")):
        type_passwords(*answers)
        with pytest.raises(CommandError, match=words):
            call_command("set_password", operator.email)
    with pytest.raises(CommandError, match="nobody of the admin has the address alice"):
        call_command("set_password", alice.email)
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)
    assert not StaffEvent.objects.exists()
