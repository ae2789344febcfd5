"""Cleaning of typed and pasted input: names, phone numbers, emails and codes."""

import unicodedata
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.admin.forms import CustomerForm
from accounts.models import User
from portal.brands import phone_examples
from portal.core import text_input
from portal.models import Brand
from tests.conftest import AURORA, Simulator
from tests.support.customer_flow import DETAILS, carrier_code, code_for, send, sign_up_form, value_of, words

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
LOST = BIDI + "\u00ad\u200b\u2060\ufeff"
WIDE = "\u00a0\u1680\u2000\u2007\u202f\u205f\u3000"
MINUSES = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
# Characters of names in any script: no controls, separators or surrogates.
LETTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"], exclude_characters=LOST)
NAMES = st.text(LETTERS | st.sampled_from(" \u200c\u200d\ufe0f"), min_size=1, max_size=40).filter(
    lambda text: text.strip() == text and text.strip("\u200c\u200d\ufe0f ")
)


@given(NAMES, st.data())
def test_name_loses_only_the_listed_characters(name, data):
    places = data.draw(st.lists(st.integers(0, len(name)), max_size=4))
    marked = name
    for place in sorted(places, reverse=True):
        marked = marked[:place] + data.draw(st.sampled_from(LOST)) + marked[place:]
    assert text_input.name(marked) == name
    assert text_input.name(f" {marked}\u3000") == name
    assert text_input.name(name.replace(" ", data.draw(st.sampled_from(WIDE)))) == name


@pytest.mark.parametrize(
    ("copied", "sent"),
    [
        ("\u202d+61 2 5550 0101\u202c", "+61 2 5550 0101"),
        ("\u200e+61\u00a02\u00a05550\u20110101", "+61 2 5550-0101"),
        ("02 5550 – 0101", "02 5550 - 0101"),
        ("٠٢٥٥٥٠٠١٠١", "0255500101"),
        ("۰۲ ۵۵۵۰ ۰۱۰۱", "02 5550 0101"),
        ("０２５５５００１０１", "0255500101"),
        ("＋６１（２）５５５０－０１０１", "+61(2)5550-0101"),
        ("tel:+61-2-5550-0101", "+61-2-5550-0101"),
        ("(02)\u30005550\u2212\ufeff0101 ", "(02) 5550-0101"),
        ("+1 212.555.0100", "+1 212.555.0100"),
    ],
)
def test_phone_number_is_normalised_to_plain_characters(copied, sent):
    assert text_input.phone(copied) == sent


@pytest.mark.parametrize(
    "text",
    [
        "١٢٣٤٥٦٧٨",
        "۱۲۳۴۵۶۷۸",
        "１２３４５６７８",
        "१२३४५६७८",
        "1234 5678",
        "1234-5678",
        "1234\u20115678",
        "1234–5678",
        "12 34 56 78",
        "1234\u00a05678",
        "\u200e12345678\u200e",
        "1234\u200b5678",
        "\ufeff12345678\u2060",
        "12345678.",
        "“12345678”",
        "Your code: 12345678, valid 10 minutes",
        "Your code:\n\n    12345678\n\nIt is good for ten minutes.",
        "12345678 12345678",
        "2026-11-29: 12345678",
        "1\ufe0f\u20e32345678",
        "1234\t5678",
    ],
)
def test_sign_in_code_is_the_only_run_of_eight_digits(text):
    assert text_input.digits(text, 8) == "12345678"


@pytest.mark.parametrize(
    "text",
    ["1234567", "123456789", "12345678 and 87654321", "1234 5678 9", "", "abc", "²²²²²²²²", "1234.5678"],
)
def test_text_without_exactly_one_run_is_not_a_code(text):
    found = text_input.digits(text, 8)
    assert not (len(found) == 8 and found.isdecimal())


@given(st.text(max_size=60))
def test_any_text_is_parsed_without_an_error(text):
    for found in (
        text_input.digits(text, 8),
        text_input.code(text),
        text_input.phone(text),
        text_input.trimmed(text),
        text_input.name(text),
    ):
        assert isinstance(found, str)
    assert not any(unicodedata.category(letter) in ("Zs", "Cf") for letter in text_input.code(text))


def test_confirmation_code_keeps_its_case():
    assert text_input.code(" aB-c\u2011D 1\u200b2٣ ") == "aBcD123"


@pytest.mark.parametrize("around", ["\u200b", "\u00a0", "\ufeff", " \u202c", "\u2060\n"])
def test_email_loses_surrounding_invisible_characters(around):
    assert text_input.trimmed(f"{around}ann@example.org{around}") == "ann@example.org"
    assert text_input.trimmed("an\u200bn@example.org") == "an\u200bn@example.org"
    assert text_input.trimmed(around) == ""


# --- On the pages ---

pytestmark = pytest.mark.django_db


def test_sign_up_sends_cleaned_values(aurora: Brand, simulator: Simulator, browse: Any) -> None:
    typed_in = {
        "first_name": "\u202bسما\u200cن\u202c",
        "last_name": "山田\u3000佐藤",
        "company_name": "Société\u00a0X\u00ad",
        "email": "\u200bdora@example.com\u00a0",
        "phone": "\u202d+61 2 5550 0101\u202c",
    }
    assert send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), **typed_in)).status_code == 302
    [call] = simulator.calls("register_customer")
    assert {name: call["fields"][name] for name in typed_in} == {
        "first_name": "سما\u200cن",
        "last_name": "山田 佐藤",
        "company_name": "Société X",
        "email": "dora@example.com",
        "phone": "+61 2 5550 0101",
    }
    customer = User.objects.get()
    assert (customer.last_name, customer.phone) == ("山田 佐藤", "+61 2 5550 0101")


def test_password_is_sent_as_typed(aurora: Brand, simulator: Simulator, browse: Any) -> None:
    password = " \u200b\u00a0pass\u202dword٣ "
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), password=password))
    form = {"partner": "Aurora", "email": DETAILS["email"], "password": password}
    assert simulator.post("password", **form)["matches"]


@pytest.mark.parametrize("name", ["\u200d", "\u200b \u00a0", "\u202a\u202c"])
def test_invisible_name_counts_as_missing(
    aurora: Brand, simulator: Simulator, browse: Any, name: str
) -> None:
    response = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), last_name=name))
    assert response.context["form"].errors == {"last_name": ["Enter your last name."]}


@pytest.mark.parametrize("letter", ["\n", "\x00", "\u2028", "\x1b"])
def test_name_on_two_lines_is_refused(aurora: Brand, simulator: Simulator, browse: Any, letter: str) -> None:
    response = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), last_name=f"a{letter}b"))
    assert list(response.context["form"].errors) == ["last_name"]


@pytest.mark.parametrize("digits", ["٠١٢٣٤٥٦٧٨٩", "۰۱۲۳۴۵۶۷۸۹", "０１２３４５６７８９"])
def test_code_in_digits_of_another_script_signs_in(
    aurora: Brand, alice: User, simulator: Simulator, browse: Any, digits: str
) -> None:
    client: Client = browse(AURORA)
    send(client, "/sign-in/", {"email": alice.email})
    code = code_for(alice.email).translate(str.maketrans("0123456789", digits))
    response = send(client, "/sign-in/code/", {"code": f"Code: {code[:4]} {code[4:]}."})
    assert response["Location"] == "/"


def test_confirmation_code_may_be_typed_in_groups(aurora: Brand, simulator: Simulator, browse: Any) -> None:
    client: Client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    code = carrier_code(simulator, DETAILS["email"])
    typed_in = {"email": DETAILS["email"], "code": f"{code[:3]} {code[3:5]}\u2011{code[5:]}"}
    response = send(client, "/sign-up/confirm/", {**typed_in, "g-recaptcha-response": simulator.token()})
    assert response["Location"] == "/sign-in/code/"


@pytest.mark.parametrize(
    ("query", "email", "code"),
    [
        ("email=ann+test@customer.example&code=433134", "ann+test@customer.example", "433134"),
        ("email=ann%2Btest@customer.example&code=433134", "ann+test@customer.example", "433134"),
        ("email=ann@customer.example&amp;amp;code=433134", "ann@customer.example", "433134"),
        ("email=ann%252Btest%2540customer.example&code=1", "ann+test@customer.example", "1"),
        ("email=ann@customer.example&code=ab+cd", "ann@customer.example", "ab+cd"),
        ("email=ann@customer.example&amp;code=433134", "ann@customer.example", "433134"),
        ("email=ann@customer.example%26code=433134", "ann@customer.example", "433134"),
        ("code=433134&amp;email=ann+test@customer.example", "ann+test@customer.example", "433134"),
        ("code=433134%26email%3Dann@customer.example", "ann@customer.example", "433134"),
        ("email=a%26b@customer.example&code=433134&utm=x", "a&b@customer.example", "433134"),
        ("email=ann@customer.example%26amp%3Bcode%3D433134", "ann@customer.example", "433134"),
    ],
)
def test_confirmation_link_broken_by_a_mail_program_is_read(
    aurora: Brand, browse: Any, query: str, email: str, code: str
) -> None:
    page = browse(AURORA).get(f"/sign-up/confirm/?{query}", follow=True)
    assert (value_of(page, "email"), value_of(page, "code")) == (email, code)


@pytest.mark.parametrize("currency", ["AUD", "NZD", "USD", "GBP"])
def test_phone_number_example_fits_the_country(
    aurora: Brand, simulator: Simulator, browse: Any, currency: str
) -> None:
    Brand.objects.update(currency=currency)
    response = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), phone="12"))
    aurora.refresh_from_db()
    assert f"like {phone_examples.get_example(aurora)}." in words(response)


def test_admin_form_cleans_values_too(aurora: Brand, alice: User) -> None:
    fields = {
        "first_name": "\u202aSociété\u00a0X",
        "phone": "\u202d٠٢ 5550–0101",
        "account_number": "\u200b70009 ",
        "email": "\u200balice@example.com",
        "brand": aurora.pk,
    }
    form = CustomerForm({**form_data(alice), **fields}, instance=alice)
    form.is_valid()
    assert form.cleaned_data["first_name"] == "Société X"
    assert form.cleaned_data["phone"] == "02 5550-0101"
    assert form.cleaned_data["account_number"] == "70009"
    assert form.cleaned_data["email"] == "alice@example.com"


def form_data(user: User) -> dict[str, Any]:
    """Return the data of a customer form when nothing is changed."""
    return {name: value for name, value in CustomerForm(instance=user).initial.items() if value is not None}
