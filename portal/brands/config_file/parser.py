"""Read the configuration file: TOML with known tables, known keys and the right types."""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.voipline import METHODS


class ConfigError(Exception):
    """The file cannot be applied. `problems`: one line each, naming file, brand, table and key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass
class Findings:
    """The problems of a file, and warnings that do not stop it from being applied."""

    file: str
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add_problem(self, brand: str, key: str, words: object) -> None:
        """Add a problem. `key`: `hosts`, `codes.4103` or `methods.customer_balance.parameters.email`."""
        self.problems.append(f"{self.file}: [[brand]] {brand}, {_key_in_file(key)}: {words}")

    def add_warning(self, brand: str, key: str, words: object) -> None:
        """Add a warning; parameters as for `add_problem`."""
        self.warnings.append(f"{self.file}: [[brand]] {brand}, {_key_in_file(key)}: {words}")


def _key_in_file(key: str) -> str:
    """Return a key as it is written in the file: `carrier.url` as `[brand.carrier] url`."""
    depth = 2 if key.startswith("methods.") else 1
    steps = key.split(".", depth)
    table, rest = ".".join(steps[:depth]), ".".join(steps[depth:])
    if table in _TABLES or table.startswith("methods."):
        return f"[brand.{table}] {rest}".rstrip()
    return key


@dataclass
class Entry:
    """One `[[brand]]`. `values`: the well-formed keys; `invalid_keys`: those that are wrong or missing."""

    label: str
    values: dict[str, Any] = field(default_factory=dict)
    invalid_keys: set[str] = field(default_factory=set)
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Kind:
    is_valid: Callable[[Any], bool]
    words: str


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_TEXT = _Kind(_is_text, "write a text in quotation marks")
_FLAG = _Kind(lambda value: isinstance(value, bool), "write true or false")
_TEXTS = _Kind(
    lambda value: isinstance(value, list) and all(map(_is_text, value)),
    'write a list of texts, like ["portal.example.com"]',
)
_MAP = _Kind(
    lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
    'write pairs of texts, like { account_number = "acc_no" }',
)
_TABLE = _Kind(lambda value: isinstance(value, dict), "write a table")

Schema = Mapping[str, _Kind]

_BRAND: Schema = {
    **dict.fromkeys(("slug", "name"), _TEXT),
    "hosts": _TEXTS,
    **dict.fromkeys(("currency", "timezone", "language", "logo", "accent"), _TEXT),
    **dict.fromkeys(("support_email", "support_phone", "from_email", "terms_url", "privacy_url"), _TEXT),
    "signup_open": _FLAG,
    **dict.fromkeys(("account_type", "top_up_url", "how_to_pay"), _TEXT),
}
_TABLES: dict[str, Schema] = {
    "carrier": {"url": _TEXT, "key": _TEXT, "login_hosts": _TEXTS},
    "recaptcha": {"site_key": _TEXT, "secret_key": _TEXT, "kind": _TEXT},
    "methods": {},
    "codes": {},
}
_METHOD: Schema = {
    **dict.fromkeys(("path", "body", "date_format"), _TEXT),
    **dict.fromkeys(("parameters", "constants", "results"), _MAP),
}
_REQUIRED = (
    *("slug", "name", "hosts", "currency", "timezone", "support_email", "from_email"),
    *("carrier.url", "carrier.key"),
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def read(path: Path) -> tuple[list[Entry], Findings]:
    """Return the file's brands and the findings about their form. Raise ConfigError if it is not TOML."""
    findings = Findings(path.name)
    document = _parse(path)
    for key in document.keys() - {"brand"}:
        findings.problems.append(f"{path.name}: {key}: unknown table or key; all keys belong in [[brand]]")
    tables = document.get("brand", [])
    if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
        raise ConfigError(
            [*findings.problems, f"{path.name}: [[brand]]: write one such table for each brand"]
        )
    return [_entry(number, table, findings) for number, table in enumerate(tables, 1)], findings


def _parse(path: Path) -> dict[str, Any]:
    data = b""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError([f"{path.name}: cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path.name}: line {line}: not UTF-8; save the file as UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        # Count the lines without trailing blanks, so that the end is on the last line with text.
        where = f"at line {text.rstrip().count(chr(10)) + 1}, the end"
        words = str(error).replace("at end of document", where)
        raise ConfigError([f"{path.name}: not valid TOML: {words}"]) from error


def _entry(number: int, table: dict[str, Any], findings: Findings) -> Entry:
    slug = table.get("slug")
    entry = Entry(slug if isinstance(slug, str) and slug else f"no. {number}")
    main_keys = {key: value for key, value in table.items() if key not in _TABLES}
    _read_table(entry, findings, "", main_keys, _BRAND)
    for name, schema in _TABLES.items():
        subtable = table.get(name, {})
        if not isinstance(subtable, dict):
            findings.add_problem(entry.label, name, _TABLE.words)
        elif schema:
            _read_table(entry, findings, f"{name}.", subtable, schema)
        else:
            _READERS[name](entry, findings, subtable)
    for key in _REQUIRED:
        if key not in entry.values and key not in entry.invalid_keys:
            entry.invalid_keys.add(key)
            findings.add_problem(entry.label, key, "missing; this key is required")
    return entry


def _read_table(entry: Entry, findings: Findings, prefix: str, table: dict[str, Any], schema: Schema) -> None:
    for key, words in _problems(table, schema):
        entry.invalid_keys.add(prefix + key)
        findings.add_problem(entry.label, prefix + key, words)
    entry.values.update(
        {prefix + key: value for key, value in table.items() if prefix + key not in entry.invalid_keys}
    )


def _problems(table: dict[str, Any], schema: Schema) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if key not in schema:
            tables = [f"[brand.{name}]" for name in _TABLES] if schema is _BRAND else []
            yield key, f"unknown key; known are {', '.join([*schema, *tables])}"
        elif not schema[key].is_valid(value):
            yield key, schema[key].words
        elif any(_CONTROL.search(text) for text in _texts(value)):
            yield key, "holds a line break or a control character"


def _texts(value: Any) -> list[str]:
    """Return all texts in a value of any kind."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []


def _read_methods(entry: Entry, findings: Findings, table: dict[str, Any]) -> None:
    for name, method in table.items():
        if name not in METHODS:
            words = f"unknown method; the seven are {', '.join(METHODS)}"
            findings.add_problem(entry.label, f"methods.{name}", words)
        elif not isinstance(method, dict):
            findings.add_problem(entry.label, f"methods.{name}", _TABLE.words)
        else:
            problems = dict(_problems(method, _METHOD))
            for key, words in problems.items():
                findings.add_problem(entry.label, f"methods.{name}.{key}", words)
            if not problems:
                entry.methods[name] = method


def _read_codes(entry: Entry, findings: Findings, table: dict[str, Any]) -> None:
    problems = dict(_problems(table, dict.fromkeys(table, _TEXT)))
    for code, words in problems.items():
        findings.add_problem(entry.label, f"codes.{code}", words)
    entry.codes = {code: meaning for code, meaning in table.items() if code not in problems}


_READERS: dict[str, Callable[[Entry, Findings, dict[str, Any]], None]] = {
    "methods": _read_methods,
    "codes": _read_codes,
}
