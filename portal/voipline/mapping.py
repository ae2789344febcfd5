"""Merge an operator's names into a method's defaults, and reject invalid mappings.

Without an account number or an email the carrier could answer with another customer's figures. Such a mapping
never becomes a `Method`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from portal.voipline.messages import Words
from portal.voipline.methods import PLACEHOLDER, Method
from portal.voipline.urls import path_problem

Problem = tuple[str, str]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SAMPLE_DAYS = (date(2024, 2, 29), date(1999, 12, 31))


class MappingError(ValueError):
    """Invalid configuration. `problems`: pairs of a key such as "parameters.email" and a message."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{key}: {words}" for key, words in problems))
        self.problems = problems


def customise(
    method: Method,
    *,
    path: str | None = None,
    body: str | None = None,
    date_format: str | None = None,
    parameters: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    results: Mapping[str, str] | None = None,
) -> Method:
    """Return the method with an operator's overrides. Raise MappingError, which names all their problems.

    `parameters` and `results` (our name → theirs) are merged over the defaults; "" drops a parameter or an
    optional result. An account number in the path is not sent as a parameter too, unless `parameters` names
    it. `constants` are added. None or "" for path, body and date_format keeps the default.
    """
    overrides = {"parameters": parameters or {}, "constants": constants or {}, "results": results or {}}
    _raise_if_any([*_shape_problems(method, overrides), *_body_problems(method, body)])
    custom = replace(
        method,
        path=path or method.path,
        body=body or method.body,
        date_format=date_format or method.date_format,
        **_merge(method, path or method.path, overrides),
    )
    _raise_if_any([problem for check in _CHECKS for problem in check(custom)])
    return custom


def _raise_if_any(problems: list[Problem]) -> None:
    if problems:
        raise MappingError(problems)


def _merge(method: Method, path: str, overrides: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    in_path = {"account_number": ""} if PLACEHOLDER in path else {}
    return {
        "parameters": _drop_empty({**method.parameters, **in_path, **overrides["parameters"]}),
        "constants": {**method.constants, **overrides["constants"]},
        "results": _drop_empty({**method.results, **overrides["results"]}),
    }


def _drop_empty(names: Mapping[str, str]) -> dict[str, str]:
    return {name: theirs for name, theirs in names.items() if theirs}


def _shape_problems(method: Method, overrides: Mapping[str, Mapping[str, str]]) -> Iterator[Problem]:
    """Yield the unknown names and the values that are not text."""
    known = {"parameters": method.available, "results": frozenset(method.rules.fields)}
    for table, entries in overrides.items():
        for name, theirs in entries.items():
            if table in known and name not in known[table]:
                yield f"{table}.{name}", _unknown_name_message(method, known[table])
            elif not isinstance(theirs, str):
                yield f"{table}.{name}", Words("It must be text, in quotation marks")


def _unknown_name_message(method: Method, names: frozenset[str]) -> Words:
    return Words("{method} knows only {names}", method=method.key, names=", ".join(sorted(names)))


def _body_problems(method: Method, body: str | None) -> Iterator[Problem]:
    if body and not method.writes:
        yield "body", Words("A GET method has no body")
    elif body and body not in ("multipart", "form"):
        yield "body", Words('It must be "multipart" or "form"')


def _path_problems(method: Method) -> Iterator[Problem]:
    if words := path_problem(method.path):
        yield "path", words
    elif PLACEHOLDER in method.path and "account_number" not in method.available:
        yield "path", Words("{method} has no account number to put into the path", method=method.key)


def _date_problems(method: Method) -> Iterator[Problem]:
    if not _is_date_format(method.date_format):
        yield "date_format", Words("It must give a whole date back: day (%d), month (%m) and year (%Y)")


def _is_date_format(text: str) -> bool:
    # First of all: strptime warns if it has to parse a day without a year.
    if not ("%d" in text and re.search("%[mbB]", text) and re.search("%[Yy]", text)):
        return False
    try:
        return all(datetime.strptime(day.strftime(text), text).date() == day for day in _SAMPLE_DAYS)
    except (ValueError, re.error):
        return False


def _essential_problems(method: Method) -> Iterator[Problem]:
    for group in method.rules.essential:
        if not any(method.wants(name) for name in group):
            yield (
                f"parameters.{group[0]}",
                Words("{method} must send {names}", method=method.key, names=" / ".join(group)),
            )


def _name_problems(method: Method) -> Iterator[Problem]:
    for table, names in (("parameters", method.parameters), ("results", method.results)):
        for name, theirs in names.items():
            if words := _name_problem(theirs):
                yield f"{table}.{name}", words
    for sent_name, count in Counter(method.parameters.values()).items():
        if count > 1:
            shared = [name for name, theirs in method.parameters.items() if theirs == sent_name]
            yield (
                f"parameters.{shared[-1]}",
                Words("{names} are sent under one name", names=" + ".join(shared)),
            )


def _name_problem(name: str) -> str:
    if not name.strip():
        return Words("The name is empty")
    return Words("The name holds a control character") if _CONTROL.search(name) else ""


def _constant_problems(method: Method) -> Iterator[Problem]:
    taken = set(method.parameters.values()) | method.available
    for name, value in method.constants.items():
        if words := _name_problem(name):
            yield f"constants.{name}", words
        elif name in taken:
            yield f"constants.{name}", Words("A parameter has this name already")
        elif re.search(r"[\ud800-\udfff]", value):
            yield f"constants.{name}", Words("It isn't valid text")


def _result_problems(method: Method) -> Iterator[Problem]:
    for name, field in method.rules.fields.items():
        if name not in method.results:
            if field.required:
                yield f"results.{name}", Words("This result can't be dropped")
        elif not all(step.strip() for step in method.results[name].split(".")):
            yield f"results.{name}", Words("A dotted path has a name between all its dots")


_CHECKS: tuple[Callable[[Method], Iterator[Problem]], ...] = (
    _path_problems,
    _date_problems,
    _essential_problems,
    _name_problems,
    _constant_problems,
    _result_problems,
)
