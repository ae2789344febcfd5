"""An operator's names over the defaults, and the mappings that must not be accepted.

Without an account number or an e-mail the carrier could answer with somebody else's figures; such a mapping
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
    """A configuration that cannot be accepted. `problems`: (key such as "parameters.email", plain words)."""

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
    """The method with an operator's overrides; MappingError names everything that is wrong with them.

    `parameters` and `results` are merged over the defaults, ours = theirs; "" drops a parameter or an
    optional result. An account number in the path is not sent as a parameter too, unless `parameters` names
    it. `constants` are added. None or "" for path, body and date_format keeps the default.
    """
    given = {"parameters": parameters or {}, "constants": constants or {}, "results": results or {}}
    _raise([*_shape_problems(method, given), *_body_problems(method, body)])
    custom = replace(
        method,
        path=path or method.path,
        body=body or method.body,
        date_format=date_format or method.date_format,
        **_merged(method, path or method.path, given),
    )
    _raise([problem for check in _CHECKS for problem in check(custom)])
    return custom


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise MappingError(problems)


def _merged(method: Method, path: str, given: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    in_path = {"account_number": ""} if PLACEHOLDER in path else {}
    return {
        "parameters": _kept({**method.parameters, **in_path, **given["parameters"]}),
        "constants": {**method.constants, **given["constants"]},
        "results": _kept({**method.results, **given["results"]}),
    }


def _kept(names: Mapping[str, str]) -> dict[str, str]:
    return {ours: theirs for ours, theirs in names.items() if theirs}


def _shape_problems(method: Method, given: Mapping[str, Mapping[str, str]]) -> Iterator[Problem]:
    """Names we do not know and values that are not text."""
    known = {"parameters": method.available, "results": frozenset(method.rules.fields)}
    for table, entries in given.items():
        for ours, theirs in entries.items():
            if table in known and ours not in known[table]:
                yield f"{table}.{ours}", _known(method, known[table])
            elif not isinstance(theirs, str):
                yield f"{table}.{ours}", Words("It must be text, in quotation marks")


def _known(method: Method, names: frozenset[str]) -> Words:
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
    # Asked first: Python warns where it has to parse a day without a year.
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
        for ours, theirs in names.items():
            if words := _name_problem(theirs):
                yield f"{table}.{ours}", words
    for ours, times in Counter(method.parameters.values()).items():
        if times > 1:
            both = [mine for mine, theirs in method.parameters.items() if theirs == ours]
            yield f"parameters.{both[-1]}", Words("{names} are sent under one name", names=" + ".join(both))


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
            yield f"constants.{name}", Words("It is not valid text")


def _result_problems(method: Method) -> Iterator[Problem]:
    for name, field in method.rules.fields.items():
        if name not in method.results:
            if field.required:
                yield f"results.{name}", Words("This result cannot be dropped")
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
