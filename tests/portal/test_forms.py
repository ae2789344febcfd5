"""Forms: error summary, errors at the fields, autocomplete and input modes."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from accounts.models import Submission
from accounts.services import idempotency
from tests.conftest import AURORA
from tests.support.customer_flow import PASSWORD, send, sign_up_form, words

SUMMARY = "There's a problem"


class _Page(HTMLParser):
    """Every tag of a page with its attributes, in order."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def input(self, name: str) -> dict[str, str | None]:
        return next(attrs for attrs in self.all("input") if attrs.get("name") == name)

    @property
    def ids(self) -> list[str]:
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]


def test_summary_links_to_each_invalid_field_and_no_other(aurora, simulator, browse):
    answer = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), phone="12", first_name=""))
    page = _Page(answer)
    assert SUMMARY in words(answer)
    targets = [str(a["href"])[1:] for a in page.all("a") if str(a.get("href")).startswith("#id_")]
    assert targets == ["id_first_name", "id_phone"]
    assert set(targets) <= set(page.ids)
    assert "First name Enter your first name." in words(answer)
    assert simulator.calls() == []


@pytest.mark.parametrize("kind", ["v2-checkbox", "v2-invisible", "v3"])
def test_missing_captcha_of_every_kind_is_in_the_summary(aurora, simulator, browse, kind):
    type(aurora).objects.filter(pk=aurora.pk).update(recaptcha_kind=kind)
    text = words(send(browse(AURORA), "/password-reset/", {"email": "a@example.com"}))
    assert SUMMARY in text
    assert text.count("Complete the security check.") == 2


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/sign-in/", {"email": "nobody"}),
        ("/sign-up/", {}),
        ("/statement/?from_date=2020-02-01&to_date=2020-01-01", None),
    ],
)
def test_errors_are_in_the_title_and_have_the_focus(aurora, alice, simulator, browse, path, data):
    client = browse(AURORA) if data is not None else browse(AURORA, alice)
    fresh = client.get(path.partition("?")[0]).content.decode()
    assert "Error:" not in re.findall(r"<title>(.*?)</title>", fresh)[0]
    assert "autofocus" not in fresh
    page = (send(client, path, data) if data is not None else client.get(path)).content.decode()
    assert re.findall(r"<title>(.*?)</title>", page)[0].startswith("Error: ")
    assert page.count('role="alert" tabindex="-1" autofocus') == 1


def test_form_still_in_progress_is_no_error(aurora, simulator, browse, monkeypatch):
    monkeypatch.setattr(idempotency, "_PATIENCE", 0)
    data = {"email": "a@example.com", "g-recaptcha-response": simulator.token()}
    send(browse(AURORA), "/password-reset/", data)
    Submission.objects.update(outcome={"form": Submission.objects.get().outcome["form"]})
    answer = send(browse(AURORA), "/password-reset/", data)
    assert answer.status_code == 202
    assert b"<title>Reset" in answer.content


def test_each_error_is_linked_to_its_field(aurora, simulator, browse):
    page = _Page(send(browse(AURORA), "/sign-up/", {}))
    assert len(page.ids) == len(set(page.ids))
    for name in ("first_name", "last_name", "email", "phone", "password", "accept_terms"):
        field = page.input(name)
        assert field["aria-invalid"] == "true"
        described = str(field["aria-describedby"]).split()
        assert f"id_{name}_error" in described
        assert set(described) <= set(page.ids)


def test_page_without_errors_has_no_summary(aurora, browse):
    page = browse(AURORA).get("/sign-up/")
    assert SUMMARY not in words(page)
    assert "enter it again" not in words(page)
    assert b"aria-invalid" not in page.content


def test_form_with_errors_says_to_type_the_password_again(aurora, simulator, browse):
    answer = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), phone="12"))
    assert "For your security we don't keep it, so enter it again." in words(answer)
    assert PASSWORD not in answer.content.decode()


def test_statement_with_invalid_dates_has_the_summary_too(alice, simulator, browse):
    answer = browse(AURORA, alice).get("/statement/?from_date=2020-02-01&to_date=2020-01-01")
    assert SUMMARY in words(answer)
    assert b'href="#id_from_date"' in answer.content


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/sign-in/", "email", {"type": "email", "inputmode": "email", "autocomplete": "email"}),
        ("/sign-up/", "email", {"type": "email", "inputmode": "email", "autocomplete": "email"}),
        ("/sign-up/", "first_name", {"autocomplete": "given-name"}),
        ("/sign-up/", "last_name", {"autocomplete": "family-name"}),
        ("/sign-up/", "company_name", {"autocomplete": "organization"}),
        ("/sign-up/", "phone", {"type": "tel", "inputmode": "tel", "autocomplete": "tel"}),
        ("/sign-up/", "password", {"type": "password", "autocomplete": "new-password"}),
        ("/sign-up/confirm/", "code", {"autocomplete": "one-time-code", "autocapitalize": "none"}),
        ("/sign-in/code/", "code", {"autocomplete": "one-time-code", "inputmode": "numeric"}),
        ("/password-reset/", "email", {"type": "email", "inputmode": "email", "autocomplete": "email"}),
    ],
)
def test_fields_have_autocomplete_and_inputmode(aurora, browse, path, name, expected):
    client = browse(AURORA)
    client.post("/sign-in/", {"email": "alice@example.com"})
    field = _Page(client.get(path)).input(name)
    assert {key: field.get(key) for key in expected} == expected


def test_button_has_an_empty_live_region_for_its_busy_message(aurora, browse):
    text = browse(AURORA).get("/sign-in/").content.decode()
    assert re.search(r'role="status" data-waiting="Sending…"></p>', text)
