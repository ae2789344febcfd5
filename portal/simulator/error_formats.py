"""Manners of answering: the carrier's own, and those of APIs that are built with Laravel, WHMCS or plain PHP.

The names of parameters and results stay; what differs is how a success and a refusal look.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from http import HTTPStatus

from portal.simulator.dialect import Method
from portal.simulator.json_exact import Literal, render, with_leaves
from portal.simulator.request_parser import Refused
from portal.simulator.wire import Answer, json_answer

Results = Mapping[str, object]
_BALANCES = ("opening_balance", "closing_balance")
_BOM = "\ufeff"


def _double(value: object) -> object:
    """A number as a double prints it with 17 digits: 242.08793000000001."""
    return Literal(f"{float(value):.17g}") if isinstance(value, Decimal) else value


def _grouped(value: object) -> object:
    """A number as a text in groups of thousands: 1,234.50000."""
    return f"{value:,.5f}" if isinstance(value, Decimal) else value


def _without_movement(results: Results, nothing: object) -> Results:
    """The results, with what stands for nothing in the place of each movement that is 0."""
    statement = "opening_balance" in results
    return {
        name: nothing if statement and value == 0 and name not in _BALANCES else value
        for name, value in results.items()
    }


def carrier_success(method: Method, results: Results) -> Answer:
    return json_answer(200, {"code": 200, "data": method.shaped(results)} if results else {"code": 200})


def carrier_refusal(refused: Refused) -> Answer:
    return json_answer(refused.status, {"code": refused.status, "message": refused.message})


def laravel_success(method: Method, results: Results) -> Answer:
    if not results:
        return Answer(HTTPStatus.NO_CONTENT)
    status = HTTPStatus.CREATED if method.key == "register_customer" else HTTPStatus.OK
    shaped = method.shaped(_without_movement(results, None))
    return json_answer(status, {"data": with_leaves(shaped, _double)})


def laravel_refusal(refused: Refused) -> Answer:
    if isinstance(refused.message, str):
        return json_answer(refused.status, {"message": refused.message})
    errors = {"message": "The given data was invalid.", "errors": refused.message}
    return json_answer(refused.status, errors)


def whmcs_success(method: Method, results: Results) -> Answer:
    shaped = method.shaped(_without_movement(results, ""))
    return json_answer(200, {"result": "success", **with_leaves(shaped, _grouped)})  # type: ignore[dict-item]


def whmcs_refusal(refused: Refused) -> Answer:
    return json_answer(_of_the_door(refused), {"result": "error", "message": refused.in_words})


def php_success(method: Method, results: Results) -> Answer:
    """With what two included files leave before it, and a link with the line end of its file."""
    shaped = with_leaves(method.shaped(results), _double)
    records = [with_leaves(shaped, _link)] if results else []
    body = render({"code": "200", "status": "Success", "data": records})
    return Answer(200, f"{_BOM}\r\n{_BOM}{body}\n".encode())


def _link(value: object) -> object:
    path = value.partition("/carrier/")[2] if isinstance(value, str) else ""
    return f"/carrier/{path}\n" if path else value


def php_refusal(refused: Refused) -> Answer:
    told: dict[str, object] = {"success": False, "error": refused.in_words}
    if not isinstance(refused.message, str):
        texts = {name: " ".join(found) for name, found in refused.message.items()}
        told = {"success": "false", "message": texts}
    return json_answer(_of_the_door(refused), told)


def _of_the_door(refused: Refused) -> int:
    """A wrong key is refused before such an API begins its work; all else it answers with 200."""
    return refused.status if refused.status == HTTPStatus.UNAUTHORIZED else HTTPStatus.OK


SUCCESS: dict[str, Callable[[Method, Results], Answer]] = {
    "carrier": carrier_success,
    "laravel": laravel_success,
    "whmcs": whmcs_success,
    "php": php_success,
}
REFUSAL: dict[str, Callable[[Refused], Answer]] = {
    "carrier": carrier_refusal,
    "laravel": laravel_refusal,
    "whmcs": whmcs_refusal,
    "php": php_refusal,
}
