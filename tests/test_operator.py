"""`create_operator`: the first person of the admin."""

import sys
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from accounts.models import User

PASSWORD = "correct horse battery"
Typed = Callable[..., None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, db: None) -> Typed:
    """Says what will be typed when a password is asked for."""

    def will_be(*answers: str) -> None:
        left: Iterator[str] = iter(answers)
        monkeypatch.setattr(
            "accounts.management.commands.create_operator.getpass", lambda _prompt: next(left)
        )

    will_be()
    return will_be


def refusal(email: str, **options: bool) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("create_operator", email, **options)
    return str(caught.value)


def test_an_operator_can_sign_in_with_address_and_password(typed: Typed) -> None:
    typed(PASSWORD, PASSWORD)
    call_command("create_operator", "olga@example.com", stdout=StringIO())
    olga = authenticate(username="Olga@example.com", password=PASSWORD)
    assert isinstance(olga, User)
    assert olga.is_superuser
    assert olga.is_staff
    assert olga.brand is None


def test_a_script_hands_the_password_over_on_standard_input(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(f"{PASSWORD}\n"))
    call_command("create_operator", "olga@example.com", password_from_stdin=True, stdout=StringIO())
    assert authenticate(username="olga@example.com", password=PASSWORD)


def test_an_address_of_the_admin_is_refused_before_a_password_is_asked_for(
    typed: Typed, operator: User
) -> None:
    assert "has a place in the admin already" in refusal("OLGA@example.com")


def test_a_customers_address_may_be_an_operators_too(typed: Typed, alice: User) -> None:
    typed(PASSWORD, PASSWORD)
    call_command("create_operator", alice.email, stdout=StringIO())
    assert User.objects.filter(email=alice.email).count() == 2


@pytest.mark.parametrize("email", ["olga", "", "olga@", f"{'o' * 250}@example.com"])
def test_what_is_no_address_is_refused(typed: Typed, email: str) -> None:
    assert "is not an e-mail address" in refusal(email)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((PASSWORD, "something else"), "not the same"),
        (("short", "short"), "too short"),
        (("olga@example.com", "olga@example.com"), "too similar"),
    ],
)
def test_a_password_that_will_not_do_makes_nobody(typed: Typed, answers: tuple[str, str], words: str) -> None:
    typed(*answers)
    assert words in refusal("olga@example.com")
    assert not User.objects.exists()
