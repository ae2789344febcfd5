"""Responses of similar APIs: what counts as success, exact amounts, and where messages are found."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.money import format_money
from portal.models import Brand
from portal.voipline import (
    METHODS,
    BadAnswer,
    NotAuthorised,
    Rejected,
    ServerError,
    Statement,
    UpstreamError,
)
from portal.voipline.http_exchange import Reply
from portal.voipline.methods import STATEMENT_NAMES
from portal.voipline.response import parse_response
from tests.support.answers import parse_answer, parse_error

BALANCE, MOVE, REGISTER, CONFIRM, LOGIN, RESET = (
    METHODS[key]
    for key in (
        "customer_balance",
        "move_funds",
        "register_customer",
        "confirm_email",
        "login_via_url",
        "reset_password",
    )
)
WRITES = [MOVE, REGISTER, CONFIRM, LOGIN, RESET]
FIGURES = {
    "opening_balance": 245.71293,
    "payments": 57,
    "adjustments": 5,
    "call_charges": 48.125,
    "other_charges": 7.5,
    "total_charges": 60.625,
    "closing_balance": 242.08793,
}
NO_ACTIVITY = {**dict.fromkeys(STATEMENT_NAMES), "opening_balance": 12, "closing_balance": 12}


def funds(balance):
    """Parse a transfer response with this balance as written in JSON."""
    body = f'{{"code": 200, "data": {{"customer_balance": {balance}, "customer_credit_limit": -55}}}}'
    return parse_answer(MOVE, body.encode())["customer_balance"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("242.08793000000001", "242.08793"),
        ('"242.08793000000003"', "242.08793"),
        ("67.2000000000000028421709430404007434844970703125", "67.2"),
        ("1.1368683772161603e-13", "0"),
        ("-5.684341886080802e-14", "0"),
        ("59.99999999999999", "60"),
        ('"1,234.50"', "1234.5"),
        ('"-1,234,567.891"', "-1234567.891"),
        ('"1,234,567"', "1234567"),
        ('"5.00 "', "5"),
        ('"\\n\\u00a07"', "7"),
    ],
)
def test_unambiguous_amount_is_parsed(written, value):
    found = funds(written)
    assert found == Decimal(value)
    assert not str(found).startswith("-0")
    assert "E" not in str(found)


@pytest.mark.parametrize(
    "written",
    ["242.087935", "242.0879301", "0.000001", "-0.0000011", "98765432109.123450001", '"1,23"', '"1,234"'],
)
def test_ambiguous_amount_is_a_bad_answer(written):
    with pytest.raises(BadAnswer) as caught:
        funds(written)
    assert caught.value.may_have_happened


FIGURE = st.decimals(min_value=-(10**9) + 1, max_value=10**9 - 1, places=5)


@given(FIGURE, st.integers(0, 5))
def test_amount_is_the_same_as_float_text_or_grouped_text(value, places):
    value = round(value, places)
    is_whole = value == value.to_integral_value()
    assert funds(f"{float(value):.17g}") == value
    assert funds(repr(float(value))) == value
    assert funds(f"{Decimal(float(value)):f}") == value
    assert funds(f'"{float(value):.17g}"') == value if "e" not in f"{float(value):.17g}" else True
    assert funds(f'"{value:f}"') == value
    assert funds(f'"{value:,.5f}"' if is_whole else f'"{value:,f}"') == value


@given(st.lists(FIGURE, min_size=7, max_size=7), st.integers(0, 5))
def test_statement_is_shown_the_same_in_any_notation(figures, places):
    expected = dict(zip(STATEMENT_NAMES, (round(each, places) for each in figures), strict=True))
    shown = [format_money(value, Brand(currency="AUD")) for value in expected.values()]
    for write in (
        lambda value: f"{float(value):.17g}",
        lambda value: f'"{value:f}"',
        lambda value: f'"{value:,.5f}"',
    ):
        members = ", ".join(f'"{name}": {write(value)}' for name, value in expected.items())
        found = parse_answer(BALANCE, f'{{"code": 200, "data": {{{members}}}}}'.encode())
        assert found == expected
        assert [format_money(found[name], Brand(currency="AUD")) for name in STATEMENT_NAMES] == shown


@pytest.mark.parametrize(
    "null",
    [None, "", " "],
)
def test_null_amount_is_zero_if_the_sums_are_consistent(null):
    data = {name: null if value is None else value for name, value in NO_ACTIVITY.items()}
    statement = Statement.from_answer(parse_answer(BALANCE, {"code": 200, "data": data}))
    assert statement == Statement(*map(Decimal, (12, 0, 0, 0, 0, 0, 12)))
    one = parse_answer(
        BALANCE,
        {
            "data": {
                **FIGURES,
                "adjustments": 0,
                "total_charges": 55.625,
                "payments": null,
                "closing_balance": 190.08793,
            }
        },
    )
    assert one["payments"] == 0


@pytest.mark.parametrize(
    "data",
    [
        {**FIGURES, "payments": None},
        {**NO_ACTIVITY, "closing_balance": 13},
        {**NO_ACTIVITY, "opening_balance": None},
        {**NO_ACTIVITY, "closing_balance": None},
        dict.fromkeys(STATEMENT_NAMES),
        {**FIGURES, "opening_balance": "", "payments": 0},
        {name: value for name, value in NO_ACTIVITY.items() if name != "payments"},
    ],
)
def test_null_that_may_hide_an_amount_is_a_bad_answer(data):
    assert type(parse_error(BALANCE, {"code": 200, "data": data})) is BadAnswer


@pytest.mark.parametrize(
    "around", ["{}", "\ufeff\ufeff{}", "\r\n\ufeff{}\n", "\u00a0\t{}\ufeff", "\u2028\u3000{}"]
)
def test_spaces_and_byte_order_marks_around_the_response_are_ignored(around):
    assert parse_answer(RESET, around.replace("{}", '{"code": 200}').encode()) == {}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"code": 200, "status": "Success"}),
        (200, {"code": 200, "data": {}, "message": {"status": "SUCCESS"}}),
        *(
            (200, {"code": 200, "status": word})
            for word in (True, 1, 200, "OK", "ok", " Ok ", "1", "200", "true", "")
        ),
        (200, {"code": 200, "status": None, "message": {"status": ""}}),
        (201, {"code": 201, "data": {}, "message": "Created"}),
        (201, {"code": 200}),
        (200, {"code": "202"}),
        (202, {"code": 202}),
        (201, {"status": 201, "message": "Created"}),
        (200, {"result": "success"}),
        (200, {"success": True, "error": None, "errors": []}),
        *(
            (200, {"code": 200, "error": none})
            for none in (None, False, 0, 0.0, "", " ", [], {}, "0", "false")
        ),
        *((200, {"code": 200, "errors": none}) for none in (None, False, 0, "", [], {})),
        (200, {"success": None}),
        (200, {"code": "", "data": []}),
        (204, b""),
    ],
    ids=str,
)
def test_success_in_any_dialect(status, body):
    assert parse_answer(RESET, body, status=status) == {}


AGAINST = [
    {"success": False},
    {"success": "false"},
    {"success": 0},
    {"result": "error"},
    {"result": "Error"},
    {"error": "reCAPTCHA verification failed"},
    {"error": {"message": "No."}},
    {"error": True},
    {"error": 1},
    {"errors": {"code": ["Wrong code"]}},
    {"errors": ["Wrong code"]},
    {"status": "error"},
    {"status": False},
    {"status": 0},
    {"status": 422},
    {"message": {"status": "failed"}},
]


@pytest.mark.parametrize("word", AGAINST, ids=str)
def test_refusal_by_message_only_is_a_refusal_except_of_a_transfer(word):
    for method in (REGISTER, CONFIRM, LOGIN, RESET):
        error = parse_error(method, {"data": {"url": "https://x.example/"}, **word})
        assert type(error) is Rejected
        assert not error.may_have_happened
    moved = {"customer_balance": 5, "customer_credit_limit": 0}
    error = parse_error(MOVE, {"data": moved, **word})
    assert type(error) is BadAnswer
    assert error.may_have_happened


@pytest.mark.parametrize("word", [*AGAINST, {"data": False}], ids=str)
@pytest.mark.parametrize("code", [200, "200", 201])
def test_refusal_with_a_success_code_is_a_bad_answer(word, code):
    for method in WRITES:
        error = parse_error(method, {"code": code, "data": {"url": "https://x.example/"}, **word})
        assert type(error) is BadAnswer
        assert error.may_have_happened
        assert "listed" not in error.message
    read = parse_error(BALANCE, {"code": code, "data": FIGURES, **word})
    assert type(read) is BadAnswer
    assert not read.may_have_happened


def test_success_word_with_a_refusal_is_a_bad_answer():
    for yes in ({"success": True}, {"status": "success"}, {"result": "success"}):
        assert type(parse_error(REGISTER, {**yes, "error": "Email already registered"})) is BadAnswer


@pytest.mark.parametrize(
    "status", [402, 404, 405, 406, 409, 410, 411, 413, 414, 415, 417, 418, 419, 422, 423, 426, 451]
)
@pytest.mark.parametrize("body", [b"", b"<html>", {"message": "No."}], ids=repr)
def test_any_4xx_refuses_a_form_but_few_refuse_a_transfer(status, body):
    for method in (REGISTER, CONFIRM, LOGIN, RESET):
        assert type(parse_error(method, body, status=status)) is Rejected
    sure = status in (404, 409, 422) and isinstance(body, dict)
    error = parse_error(MOVE, body, status=status)
    assert type(error) is (Rejected if sure else BadAnswer)
    assert error.may_have_happened is not sure


@pytest.mark.parametrize("status", [401, 403, 429])
def test_transfer_is_refused_only_by_the_api_not_by_a_proxy_page(status):
    assert not parse_error(MOVE, {"message": "No."}, status=status).may_have_happened
    assert parse_error(MOVE, b"<html>", status=status).may_have_happened
    assert not parse_error(RESET, b"<html>", status=status).may_have_happened


def test_mapped_codes_add_no_refusals_of_transfers():
    codes = {"1005": "customer_unknown", "No such customer": "customer_unknown"}
    for status, body in ((200, {"code": 1005}), (402, {"message": "No such customer"}), (404, b"<html>")):
        assert parse_error(MOVE, body, status=status, codes=codes).may_have_happened
    error = parse_error(MOVE, {"message": "No such customer"}, status=404, codes=codes)
    assert (type(error), error.meaning) == (Rejected, "customer_unknown")


@pytest.mark.parametrize("status", [408, 500, 520, 522, 524, 527, 530])
def test_timeout_and_gateway_codes_may_have_happened(status):
    for method in WRITES:
        error = parse_error(method, b"", status=status)
        assert type(error) is ServerError
        assert error.may_have_happened


@pytest.mark.parametrize(
    ("body", "fields", "general"),
    [
        ({"error": "user has no call licence"}, {}, "user has no call licence"),
        ({"error": {"message": "No licence.", "code": "E_L", "type": "t"}}, {}, "No licence."),
        ({"error": "Bad Request", "message": "No licence."}, {}, "No licence."),
        ({"message": ["One.", "Two."]}, {}, "One. Two."),
        (
            {
                "message": "The given data was invalid.",
                "errors": {"email": ["The email has already been taken."], "phone": ["Too short."]},
            },
            {"email": ["The email has already been taken."], "phone": ["Too short."]},
            "",
        ),
        ({"message": {"email": {"unique": "Taken."}}}, {"email": ["Taken."]}, ""),
        ({"message": {"email": {"0": "Taken.", "1": "Really."}}}, {"email": ["Taken.", "Really."]}, ""),
        ({"errors": ["One.", "Two."]}, {}, "One. Two."),
        ({"errors": [{"field": "email", "message": "Taken.", "code": "unique"}]}, {"email": ["Taken."]}, ""),
        ({"errors": {"0": "One."}}, {}, "One."),
        ({"errors": {"colour": ["Unknown."]}, "message": "No."}, {}, "Unknown."),
        ({"message": "", "error": "Taken."}, {}, "Taken."),
        ({"message": "Taken.", "errors": {"email": [""]}}, {}, "Taken."),
        (
            {"errors": {"E-mail": ["Taken."], "customer.phone": "Short."}},
            {"email": ["Taken."], "phone": ["Short."]},
            "",
        ),
        ({"errors": [{"param": "email", "msg": "Taken.", "location": "body"}]}, {"email": ["Taken."]}, ""),
        (
            {"errors": [{"source": {"pointer": "/data/attributes/email"}, "title": "x", "detail": "Taken."}]},
            {"email": ["Taken."]},
            "",
        ),
        ({"errors": {"email": {"message": "Taken.", "rule": "unique"}}}, {"email": ["Taken."]}, ""),
        ({"error": {"errors": {"email": "Taken."}}}, {"email": ["Taken."]}, ""),
        ({"message": "a\r\nb\x1b[1m<b>"}, {}, "a b [1m<b>"),
        ({"message": {"status": "error", "email": "Taken."}}, {"email": ["Taken."]}, ""),
        ({"message": 5, "errors": [None, 1, [[]]], "error": [{}]}, {}, ""),
    ],
    ids=str,
)
def test_error_message_is_found_in_any_place(body, fields, general):
    error = parse_error(REGISTER, body, status=422)
    assert error.fields == fields
    assert error.user_message == general


def test_code_may_be_the_name_of_a_field():
    error = parse_error(CONFIRM, {"errors": {"code": ["Wrong code"]}})
    assert error.fields == {"code": ["Wrong code"]}
    assert parse_error(CONFIRM, {"message": {"code": "Wrong code"}}, status=422).fields == {
        "code": ["Wrong code"]
    }


def test_deeply_nested_messages_are_ignored():
    deep = b'{"message": ' + b'{"a": ' * 800 + b'"x"' + b"}" * 801
    assert parse_error(REGISTER, deep, status=422).user_message == ""


@pytest.mark.parametrize("data", [[FIGURES], {"x": [FIGURES]}], ids=["list", "nested"])
def test_list_of_one_record_is_that_record(data):
    assert parse_answer(BALANCE, {"data": [FIGURES]})["payments"] == 57
    assert parse_answer(LOGIN, {"code": 200, "data": [{"url": "https://x"}]}) == {"url": "https://x"}
    assert parse_answer(REGISTER, {"data": [{"account_number": "71001"}]}) == {"account_number": "71001"}


@pytest.mark.parametrize("data", [0, "false", "0", ["x"], [[]]])
def test_other_json_is_never_a_success(data):
    assert parse_error(REGISTER, {"code": 200, "data": data}).may_have_happened


@pytest.mark.parametrize("data", [[], [FIGURES, FIGURES], [[FIGURES]], [1], "x", None])
def test_any_other_list_is_a_bad_answer(data):
    assert type(parse_error(BALANCE, {"code": 200, "data": data})) is BadAnswer


def test_several_records_are_a_bad_answer():
    error = parse_error(REGISTER, {"data": [{"account_number": "1"}, {"account_number": "2"}]})
    assert type(error) is BadAnswer


def test_results_without_a_data_key_are_read_from_the_top_level():
    assert parse_answer(BALANCE, {"result": "success", **FIGURES})["closing_balance"] == Decimal("242.08793")
    assert parse_answer(REGISTER, {"result": "success", "account_number": 71001}) == {
        "account_number": "71001"
    }


@pytest.mark.parametrize(
    ("echoed", "same"),
    [(70001, True), (70001.0, True), ("0070001", True), ("70001", False), (70002, False), ("070001", False)],
)
def test_echoed_account_number_may_lose_zeros_only_as_json_number(echoed, same):
    sent, body = {"account_number": "0070001"}, {"data": {**FIGURES, "account_number": echoed}}
    if same:
        assert parse_answer(BALANCE, body, sent=sent)["account_number"] == "0070001"
    else:
        assert type(parse_error(BALANCE, body, sent=sent)) is BadAnswer


def test_echoed_email_may_have_another_spelling():
    sent = {"email": "ann@xn--bcher-kva.example"}
    for echoed in ("ann@bücher.example", "Ann@BÜCHER.example", "ann@xn--bcher-kva.example"):
        assert parse_answer(REGISTER, {"data": {"email": echoed}}, sent=sent) == {"email": sent["email"]}
    assert type(parse_error(REGISTER, {"data": {"email": "ann@bucher.example"}}, sent=sent)) is BadAnswer
    strasse = {"email": "ann@strasse.de"}
    assert type(parse_error(REGISTER, {"data": {"email": "ann@straße.de"}}, sent=strasse)) is BadAnswer


@pytest.mark.parametrize("status", [200, 403, 404, 503])
def test_page_of_a_proxy_is_distinguished(status):
    for body in (b"<!DOCTYPE html><title>Just a moment...</title>", b"error code: 1020"):
        assert parse_error(BALANCE, body, status=status).not_json
    assert not parse_error(BALANCE, {"code": 403}, status=status).not_json
    assert type(parse_error(BALANCE, b"<html>", status=403)) is NotAuthorised
    assert "web page" in parse_error(BALANCE, b" <html>").message


@given(
    st.sampled_from(WRITES),
    st.sampled_from([200, 201, 400, 404, 422]),
    st.dictionaries(
        st.sampled_from(["status", "success", "result", "error", "errors", "message", "data"]),
        st.sampled_from(
            [None, True, False, 0, 1, 200, "", "success", "error", "No.", [], {}, ["No."], {"email": "No."}]
        ),
    ),
)
def test_no_refusal_counts_as_a_success(method, status, body):
    says_no = status >= 400 or (body.get("success") in (False, 0) and body.get("success") is not None)
    try:
        parse_response(method, {}, Reply(status, json.dumps(body).encode()), {})
    except UpstreamError:
        return
    assert not says_no
    assert body.get("error") in (None, False, 0, "", [], {})
    assert body.get("errors") in (None, False, 0, "", [], {})
