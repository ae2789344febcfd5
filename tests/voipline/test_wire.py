"""Parsing responses: from bytes to exact amounts, and to a success or an error."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.voipline import (
    MEANINGS,
    METHODS,
    BadAnswer,
    NotAuthorised,
    RateLimited,
    Rejected,
    ServerError,
    Statement,
    UpstreamError,
    customise,
    wire,
)
from portal.voipline.http_exchange import Reply
from portal.voipline.methods import STATEMENT_NAMES
from portal.voipline.response import parse_response
from tests.support.answers import parse_answer, parse_error

ARTICLE = b"""{
"code": 200,
"data": {
"opening_balance": 245.71293,
"payments": 57,
"adjustments": 5,
"call_charges": 48.125,
"other_charges": 7.5,
"total_charges": 60.625,
"closing_balance": 242.08793
}
}"""
BALANCE, LOGIN, MOVE, RESET = (
    METHODS[key] for key in ("customer_balance", "login_via_url", "move_funds", "reset_password")
)


def test_example_of_the_article_is_exact_to_the_last_digit():
    statement = Statement.from_answer(parse_answer(BALANCE, ARTICLE))
    assert [str(getattr(statement, name)) for name in STATEMENT_NAMES] == [
        "245.71293",
        "57",
        "5",
        "48.125",
        "7.5",
        "60.625",
        "242.08793",
    ]
    assert statement.is_consistent


@pytest.mark.parametrize("name", STATEMENT_NAMES)
def test_sums_are_compared_exactly(name):
    data = json.loads(ARTICLE, parse_float=str, parse_int=str)["data"]
    data[name] = str(Decimal(data[name]) + Decimal("0.00001"))
    assert not Statement.from_answer(parse_answer(BALANCE, {"code": 200, "data": data})).is_consistent


AMOUNTS = st.decimals(
    min_value=Decimal("-999999999999.99999"), max_value=Decimal("999999999999.99999"), places=5
)


@given(AMOUNTS, st.booleans())
def test_amount_survives_a_round_trip_exactly(amount, quoted):
    literal = f'"{amount:f}"' if quoted else f"{amount:f}"
    body = f'{{"data": {{"customer_balance": {literal}, "customer_credit_limit": -55}}}}'
    found = parse_answer(MOVE, body.encode())["customer_balance"]
    assert found == amount
    assert isinstance(found, Decimal)
    assert f"{found:f}" == f"{amount if amount else abs(amount):f}"


@given(AMOUNTS)
def test_amount_is_sent_in_plain_notation(amount):
    text = wire.render(amount, "")
    assert Decimal(text) == amount
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("value", "text"), [("1E+3", "1000"), ("-0", "0"), ("1.5000000", "1.50000"), ("0E-9", "0.00000")]
)
def test_unusual_decimals_are_written_in_plain_notation(value, text):
    assert wire.render(Decimal(value), "") == text


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "sNaN", "0.000001", "1E+12", "1E+999999", "1E-999999"]
)
def test_decimal_that_is_not_an_amount_is_not_sent(value):
    with pytest.raises(ValueError):
        wire.render(Decimal(value), "")


@pytest.mark.parametrize("value", [1.5, 1, True, b"x", object()])
def test_other_types_are_not_sent(value):
    with pytest.raises(TypeError):
        wire.render(value, "")


def test_dates_and_texts_are_serialised():
    assert wire.render(date(2024, 2, 29), "%d.%m.%Y") == "29.02.2024"
    assert wire.render("Zoë “☃”", "") == "Zoë “☃”"
    with pytest.raises(ValueError):
        wire.render("\ud800", "")


@pytest.mark.parametrize(
    "literal",
    [
        "true",
        "null",
        '""',
        '"1e2"',
        '"1,5"',
        '"1,234"',
        '"12,34.5"',
        '"0,123.5"',
        '"$57.00"',
        '"(5.00)"',
        '".5"',
        '"+1"',
        '"\u0661"',
        "[]",
        "{}",
        "1000000000000",
        "0.000001",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999999999",
        "1e-999999999",
        "1e99999999999999999999",
        "9" * 5000,
        "0." + "9" * 5000,
        '"' + "9" * 5000 + '"',
        "1e99",
        '"NaN"',
    ],
    ids=lambda text: text[:20],
)
def test_invalid_amount_is_a_bad_answer(literal):
    body = f'{{"data": {{"customer_balance": {literal}, "customer_credit_limit": 0}}}}'
    error = parse_error(MOVE, body.encode())
    assert type(error) is BadAnswer
    assert error.may_have_happened


@pytest.mark.parametrize(
    "literal", ["5.7e1", "57.00000000", '"57.0000000"', "570E-1", '"057"', '" 57.00\u00a0"']
)
def test_other_notations_of_an_amount_are_accepted(literal):
    body = f'{{"data": {{"customer_balance": {literal}, "customer_credit_limit": -0.0}}}}'
    found = parse_answer(MOVE, body.encode())
    assert found["customer_balance"] == 57
    assert "E" not in str(found["customer_balance"])
    assert not str(found["customer_credit_limit"]).startswith("-")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"[]",
        b"1",
        b'"x"',
        b"<html></html>",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xe4"}',
        b"{} x",
        b'{"code": 200, "code": 200}',
        b'{"data": {"a": 1, "a": 2}}',
        b"[" * 500000,
        b'{"a":' * 100000,
        b"\x00",
        b'{"code": NaN}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_body_that_is_not_the_agreed_json_is_a_bad_answer(body):
    assert type(parse_error(RESET, body)) is BadAnswer
    assert type(parse_error(RESET, body, status=401)) is NotAuthorised
    assert type(parse_error(RESET, body, status=404)) is Rejected
    assert type(parse_error(RESET, body, status=429)) is RateLimited
    assert type(parse_error(RESET, body, status=503)) is ServerError


def test_byte_order_mark_is_tolerated():
    assert parse_answer(RESET, b'\xef\xbb\xbf{"code": 200}') == {}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": 200},
        {"code": "200", "data": []},
        {"code": 200, "data": "sent"},
        {"code": 200, "data": None, "message": "done"},
        {"code": 200, "status": "success", "message": {"status": "success"}},
        {"code": None},
    ],
)
def test_success(body):
    assert parse_answer(RESET, body) == {}


CODES = {
    "4103": "email_taken",
    "Captcha wrong": "captcha_failed",
    "418": "code_wrong",
    "E_AUTH": "not_authorised",
}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "meaning"),
    [
        (200, {"code": 200, "status": "error"}, BadAnswer, 200, None),
        (200, {"code": 200, "message": {"status": "failed"}}, BadAnswer, 200, None),
        (200, {"code": 200, "message": "Captcha wrong", "status": "error"}, Rejected, 200, "captcha_failed"),
        (200, {"code": True}, BadAnswer, 200, None),
        (200, {"code": 401}, NotAuthorised, 401, None),
        (200, {"code": "403"}, NotAuthorised, 403, None),
        (200, {"code": 429}, RateLimited, 429, None),
        (200, {"code": 503}, ServerError, 503, None),
        (200, {"code": 422}, Rejected, 422, ""),
        (200, {"code": 302}, BadAnswer, 302, None),
        (200, {"code": 4103}, Rejected, 4103, "email_taken"),
        (200, {"code": 4104}, BadAnswer, 4104, None),
        (200, {"code": "E_AUTH"}, NotAuthorised, 200, None),
        (400, {"code": 4103}, Rejected, 400, "email_taken"),
        (400, {"message": "Captcha wrong"}, Rejected, 400, "captcha_failed"),
        (422, {"message": {"google_captcha": ["Captcha wrong"]}}, Rejected, 422, "captcha_failed"),
        (418, {}, Rejected, 418, "code_wrong"),
        (417, {}, Rejected, 417, ""),
        (402, {}, Rejected, 402, ""),
        (451, {}, Rejected, 451, ""),
        (408, {}, ServerError, 408, None),
        (408, {"code": 4103}, ServerError, 408, None),
        (522, {}, ServerError, 522, None),
        (400, {}, Rejected, 400, ""),
        (404, {}, Rejected, 404, ""),
        (409, {}, Rejected, 409, ""),
        (422, {}, Rejected, 422, ""),
        (400, {"code": "E_AUTH"}, NotAuthorised, 400, None),
        (401, {"code": 4103}, NotAuthorised, 401, None),
        (403, {}, NotAuthorised, 403, None),
        (403, {"code": 4103}, Rejected, 403, "email_taken"),
        (429, {"code": 4103}, RateLimited, 429, None),
        (500, {"code": 4103}, ServerError, 500, None),
        (503, {"code": 200}, ServerError, 503, None),
        (301, {"code": 200}, BadAnswer, 301, None),
        (302, {"code": 4103}, BadAnswer, 302, None),
        (101, {}, BadAnswer, 101, None),
        (600, {}, BadAnswer, 600, None),
    ],
)
def test_error_table(status, body, kind, code, meaning):
    error = parse_error(RESET, body, status=status, codes=CODES)
    assert type(error) is kind
    assert error.status == code
    assert error.method == "reset_password"
    assert getattr(error, "meaning", None) == meaning
    assert error.may_have_happened is (kind in (ServerError, BadAnswer))
    assert error.message
    assert kind is Rejected or error.user_message == ""
    read = parse_error(BALANCE, body, status=status, codes=CODES)
    assert type(read) is kind
    assert not read.may_have_happened


def test_not_authorised_names_both_causes():
    message = parse_error(RESET, {}, status=401).message
    assert "key" in message
    assert "IP address" in message


def test_field_messages_are_returned_under_our_names():
    method = customise(METHODS["register_customer"], parameters={"email": "mail"})
    message = {
        "mail": ["Taken.", "Really."],
        "phone": "Too short",
        "captcha": ["Wrong\n\ud800!"],
        "x": [{}, 1],
    }
    error = parse_error(method, {"message": message}, status=422)
    assert error.fields == {"email": ["Taken.", "Really."], "phone": ["Too short"]}
    assert error.user_message == "Wrong !"
    assert "Taken" not in error.message
    assert parse_error(method, {"message": "No\tway"}, status=400).user_message == "No way"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 120 ", 120),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("9" * 40, None),
        ("²", None),
        ("1.5", None),
    ],
)
def test_retry_after_in_seconds(header, seconds):
    assert parse_error(RESET, {}, status=429, retry_after=header).retry_after == seconds


def test_retry_after_as_a_date():
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 <= parse_error(RESET, {}, status=429, retry_after=later).retry_after <= 90
    assert parse_error(RESET, {}, status=429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT").retry_after == 0


def test_echoed_value_must_match_what_was_sent():
    sent = {"account_number": "70001", "email": "Ann@Example.org"}
    body = {"code": 200, "data": {"url": "https://x", "account_number": 70001, "email": "ann@example.ORG"}}
    assert parse_answer(LOGIN, body, sent=sent)["account_number"] == "70001"
    for name, other in (
        ("account_number", "70002"),
        ("account_number", "070001"),
        ("email", "bob@example.org"),
    ):
        wrong = {"code": 200, "data": {**body["data"], name: other}}
        assert type(parse_error(LOGIN, wrong, sent=sent)) is BadAnswer
    assert "account_number" not in parse_answer(
        LOGIN, {"data": {"url": "x", "account_number": None, "email": ""}}, sent=sent
    )


def test_texts_and_dotted_paths():
    method = customise(METHODS["confirm_email"], results={"account_number": "customer.account_number"})
    assert parse_answer(method, {"data": {"customer": {"account_number": 70001}}}) == {
        "account_number": "70001"
    }
    assert parse_answer(method, b'{"data": {"customer": {"account_number": 7.0e3}}}') == {
        "account_number": "7000"
    }
    assert parse_answer(method, {"data": {"customer": []}}) == {}
    for wrong in (True, 1.5, [], {}, ["70001"]):
        assert type(parse_error(method, {"data": {"customer": {"account_number": wrong}}})) is BadAnswer
    for data in (None, [], {}, {"url": ""}, {"url": None}, {"url": 1.5}, {"url": "\ud800"}):
        assert type(parse_error(LOGIN, {"data": data})) is BadAnswer


@pytest.mark.parametrize("name", STATEMENT_NAMES)
def test_missing_field_is_a_bad_answer(name):
    body = json.loads(ARTICLE)
    del body["data"][name]
    error = parse_error(BALANCE, body)
    assert type(error) is BadAnswer
    assert name in error.message


NAMES = st.sampled_from(["code", "data", "message", "status", "url", "account_number", *STATEMENT_NAMES])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("success") | st.just(200),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | NAMES, inner, max_size=5)
    ),
    max_leaves=12,
)
CODE_MAPS = st.dictionaries(st.text(max_size=3) | st.just("200"), st.sampled_from(MEANINGS), max_size=3)


@given(
    st.sampled_from(sorted(METHODS)),
    st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 418, 422, 429, 500, 503]),
    st.binary()
    | st.text().map(str.encode)
    | st.dictionaries(NAMES, JSON).map(lambda found: json.dumps(found).encode()),
    CODE_MAPS,
    st.text(max_size=20),
)
def test_any_bytes_give_a_result_or_one_of_our_errors(key, status, raw, codes, retry_after):
    sent = {"account_number": "7", "email": "a@b"}
    words, names = "", set()
    try:
        names = set(parse_response(METHODS[key], codes, Reply(status, raw, retry_after), sent))
    except UpstreamError as error:
        words = error.message + error.user_message
    assert names <= set(METHODS[key].results)
    assert words.isprintable()
