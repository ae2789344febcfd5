"""Validate the brands of a file with the models: the admin's rules, reported with the file's keys."""

from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from portal.brands.config_file.diff import FIELDS, SECRETS, BrandDiff
from portal.brands.config_file.parser import Findings
from portal.models import BrandHost
from portal.security.crypto import SecretUnreadable
from portal.voipline import METHODS, Carrier, MappingError, Method, Secret

_FIELDS = FIELDS | SECRETS
_KEYS = {name: key for key, name in _FIELDS.items()}
_MAPS = ("parameters", "constants", "results")
_HOST_NEEDED = "name at least one host"


def validate_brand(diff: BrandDiff, findings: Findings) -> None:
    """Check all that concerns one brand alone, and add the problems to `findings`."""
    label = diff.entry.label
    for key, words in [
        *_brand_problems(diff),
        *_host_problems(diff),
        *_code_problems(diff),
        *_method_problems(diff),
        *_carrier_problems(diff),
    ]:
        findings.add_problem(label, key, words)
    if not diff.brand.recaptcha_site_key and "recaptcha.site_key" not in diff.entry.invalid_keys:
        findings.add_warning(
            label, "recaptcha.site_key", "missing; without it no one can sign up or open the account"
        )


def validate_all(diffs: list[BrandDiff], findings: Findings) -> None:
    """Check that slugs are unique in the file and that no host belongs to two brands, in the file or not."""
    slugs = Counter(diff.brand.slug for diff in diffs if diff.brand.slug)
    for slug, count in slugs.items():
        if count > 1:
            findings.add_problem(slug, "slug", f"{count} brands of this file have it; each needs its own")
    owners = dict(BrandHost.objects.exclude(brand__slug__in=slugs).values_list("host", "brand__slug"))
    for diff in diffs:
        for host in diff.hosts:
            owner = owners.setdefault(host.host, diff.entry.label)
            if owner != diff.entry.label:
                findings.add_problem(diff.entry.label, "hosts", f"{host.host} belongs to the brand {owner}")


def _model_errors(row: models.Model, exclude: set[str]) -> dict[str, list[str]]:
    """Return field → the model's errors. Uniqueness is checked for the whole file instead."""
    try:
        row.full_clean(exclude=exclude, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        return {
            name: [_words(row, name, single) for single in errors]
            for name, errors in error.error_dict.items()
        }
    return {}


def _words(row: models.Model, name: str, error: ValidationError) -> str:
    if error.code in ("blank", "null"):
        return "must not be empty"
    if error.code == "invalid_choice":
        choices = getattr(row._meta.get_field(name), "flatchoices", [])
        return f"write one of {', '.join(str(value) for value, _label in choices)}"
    return str(error.messages[0])


def _brand_problems(diff: BrandDiff) -> Iterator[tuple[str, str]]:
    errors_by_field = _model_errors(
        diff.brand, {_FIELDS[key] for key in diff.entry.invalid_keys if key in _FIELDS}
    )
    invalid_url = "carrier_url" in errors_by_field or "carrier.url" in diff.entry.invalid_keys
    if invalid_url and "carrier.login_hosts" not in diff.entry.values:
        errors_by_field.pop("login_hosts", None)  # Its default comes from the invalid URL.
    for name, texts in errors_by_field.items():
        yield from ((_KEYS[name], text) for text in texts)
    if diff.entry.values.get("carrier.login_hosts") == []:
        yield (
            "carrier.login_hosts",
            f"{_HOST_NEEDED} that “Go to my account” may lead to, or leave the key out",
        )


def _host_problems(diff: BrandDiff) -> Iterator[tuple[str, str]]:
    if diff.entry.values.get("hosts") == []:
        yield "hosts", _HOST_NEEDED
    for row in diff.hosts:
        for texts in _model_errors(row, {"brand"}).values():
            yield from (("hosts", f"{row.host}: {text}") for text in texts)
    for host, count in Counter(row.host for row in diff.hosts).items():
        if count > 1:
            yield "hosts", f"{host} is named {count} times"


def _code_problems(diff: BrandDiff) -> Iterator[tuple[str, str]]:
    for row in diff.codes:
        # The carrier's client checks the meaning, and its message lists the valid ones.
        for texts in _model_errors(row, {"brand", "meaning"}).values():
            yield from ((f"codes.{row.code}", text) for text in texts)


def _method_problems(diff: BrandDiff) -> Iterator[tuple[str, str]]:
    for row in diff.overrides:
        for name, texts in _model_errors(row, {"brand"}).items():
            # The error of a map begins with the key of the entry: `account_number: …`.
            mark = "." if name in _MAPS else ": "
            for text in texts:
                key, _mark, words = f"{name}{mark}{text}".partition(": ")
                yield f"methods.{row.method}.{key}", words


def _carrier_problems(diff: BrandDiff) -> Iterator[tuple[str, str]]:
    """Yield problems of the connection as a whole, such as an invalid API key or a path on another host."""
    try:
        Carrier(
            url=diff.brand.carrier_url,
            key=Secret(_api_key(diff)),
            methods=_valid_methods(diff),
            codes=diff.entry.codes,
            reach=settings.CARRIER_REACH,
        )
    except MappingError as error:
        for key, words in error.problems:
            if key != "url":  # The model reports it already.
                yield ("carrier.key" if key == "key" else key), words


def _api_key(diff: BrandDiff) -> str:
    """Return the API key, or a valid text if it is wrong (reported already) or cannot be read here."""
    if "carrier.key" in diff.entry.invalid_keys:
        return "unknown"
    try:
        return diff.brand.reveal("carrier_key")
    except SecretUnreadable:
        return "unknown"


def _valid_methods(diff: BrandDiff) -> dict[str, Method]:
    methods = dict(METHODS)
    for row in diff.overrides:
        try:
            methods[row.method] = row.customised()
        except MappingError:
            continue  # The model reports it already.
    return methods
