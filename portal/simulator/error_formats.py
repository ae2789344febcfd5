"""Formats of success and error: the carrier's own, and those of APIs built with Laravel, WHMCS or plain PHP.

The names of parameters and results are the same in all of them.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from http import HTTPStatus

from portal.simulator.dialect import Method
from portal.simulator.json_exact import Literal, render, with_leaves
from portal.simulator.request_parser import Rejection
from portal.simulator.wire import Answer, json_answer

Results = Mapping[str, object]
_BALANCES = ("opening_balance", "closing_balance")
_BOM = "\ufeff"


def _double(value: object) -> object:
    """Return a number as a double prints it with 17 digits: 242.08793000000001."""
    return Literal(f"{float(value):.17g}") if isinstance(value, Decimal) else value


def _grouped(value: object) -> object:
    """Return a number as a text with groups of thousands: 1,234.50000."""
    return f"{value:,.5f}" if isinstance(value, Decimal) else value


def _blank_movements(results: Results, nothing: object) -> Results:
    """Return the results with `nothing` in place of each movement that is 0."""
    statement = "opening_balance" in results
    return {
        name: nothing if statement and value == 0 and name not in _BALANCES else value
        for name, value in results.items()
    }


def carrier_success(method: Method, results: Results) -> Answer:
    return json_answer(
        200, {"code": 200, "data": method.shape_results(results)} if results else {"code": 200}
    )


def carrier_refusal(rejection: Rejection) -> Answer:
    return json_answer(rejection.status, {"code": rejection.status, "message": rejection.message})


def laravel_success(method: Method, results: Results) -> Answer:
    if not results:
        return Answer(HTTPStatus.NO_CONTENT)
    status = HTTPStatus.CREATED if method.key == "register_customer" else HTTPStatus.OK
    data = method.shape_results(_blank_movements(results, None))
    return json_answer(status, {"data": with_leaves(data, _double)})


def laravel_refusal(rejection: Rejection) -> Answer:
    if isinstance(rejection.message, str):
        return json_answer(rejection.status, {"message": rejection.message})
    errors = {"message": "The given data was invalid.", "errors": rejection.message}
    return json_answer(rejection.status, errors)


def whmcs_success(method: Method, results: Results) -> Answer:
    data = method.shape_results(_blank_movements(results, ""))
    return json_answer(200, {"result": "success", **with_leaves(data, _grouped)})  # type: ignore[dict-item]


def whmcs_refusal(rejection: Rejection) -> Answer:
    return json_answer(_status(rejection), {"result": "error", "message": rejection.in_words})


def php_success(method: Method, results: Results) -> Answer:
    """Return a success preceded by the output of two included files, and with a line end after a link."""
    data = with_leaves(method.shape_results(results), _double)
    records = [with_leaves(data, _link)] if results else []
    body = render({"code": "200", "status": "Success", "data": records})
    return Answer(200, f"{_BOM}\r\n{_BOM}{body}\n".encode())


def _link(value: object) -> object:
    path = value.partition("/carrier/")[2] if isinstance(value, str) else ""
    return f"/carrier/{path}\n" if path else value


def php_refusal(rejection: Rejection) -> Answer:
    data: dict[str, object] = {"success": False, "error": rejection.in_words}
    if not isinstance(rejection.message, str):
        texts = {name: " ".join(messages) for name, messages in rejection.message.items()}
        data = {"success": "false", "message": texts}
    return json_answer(_status(rejection), data)


def _status(rejection: Rejection) -> int:
    """Return 401 for a wrong key and 200 for every other error, as such APIs do."""
    return rejection.status if rejection.status == HTTPStatus.UNAUTHORIZED else HTTPStatus.OK


SUCCESS: dict[str, Callable[[Method, Results], Answer]] = {
    "carrier": carrier_success,
    "laravel": laravel_success,
    "whmcs": whmcs_success,
    "php": php_success,
}
REFUSAL: dict[str, Callable[[Rejection], Answer]] = {
    "carrier": carrier_refusal,
    "laravel": laravel_refusal,
    "whmcs": whmcs_refusal,
    "php": php_refusal,
}
