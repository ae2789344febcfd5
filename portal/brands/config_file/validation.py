"""What the models say to a plan: the same rules as in the admin, in the words of the file."""

from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from portal.brands.config_file.diff import FIELDS, SECRETS, Plan
from portal.brands.config_file.parser import Findings
from portal.models import BrandHost
from portal.security.crypto import SecretUnreadable
from portal.voipline import METHODS, Carrier, MappingError, Method, Secret

_FIELDS = FIELDS | SECRETS
_KEYS = {name: key for key, name in _FIELDS.items()}
_MAPS = ("parameters", "constants", "results")
_HOST_NEEDED = "name at least one host"


def check_plan(plan: Plan, findings: Findings) -> None:
    """Everything about one brand that can be judged without looking at the others."""
    label = plan.entry.label
    for key, words in [*_brand(plan), *_hosts(plan), *_codes(plan), *_methods(plan), *_carrier(plan)]:
        findings.wrong(label, key, words)
    if not plan.brand.recaptcha_site_key and "recaptcha.site_key" not in plan.entry.bad:
        findings.warn(
            label, "recaptcha.site_key", "missing; without it nobody can sign up or open the account"
        )


def check_across(plans: list[Plan], findings: Findings) -> None:
    """A slug stands once in the file, and a host belongs to one brand, of the file or not."""
    slugs = Counter(plan.brand.slug for plan in plans if plan.brand.slug)
    for slug, times in slugs.items():
        if times > 1:
            findings.wrong(slug, "slug", f"{times} brands of this file have it; each needs its own")
    held = dict(BrandHost.objects.exclude(brand__slug__in=slugs).values_list("host", "brand__slug"))
    for plan in plans:
        for host in plan.hosts:
            holder = held.setdefault(host.host, plan.entry.label)
            if holder != plan.entry.label:
                findings.wrong(plan.entry.label, "hosts", f"{host.host} belongs to the brand {holder}")


def _complaints(row: models.Model, exclude: set[str]) -> dict[str, list[str]]:
    """Field → what its model says. Uniqueness is judged over the whole file instead."""
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


def _brand(plan: Plan) -> Iterator[tuple[str, str]]:
    complaints = _complaints(plan.brand, {_FIELDS[key] for key in plan.entry.bad if key in _FIELDS})
    if "carrier.login_hosts" not in plan.entry.values and "carrier_url" in {*complaints, *_bad_url(plan)}:
        complaints.pop("login_hosts", None)  # They would have come from the address.
    for name, texts in complaints.items():
        yield from ((_KEYS[name], text) for text in texts)
    if plan.entry.values.get("carrier.login_hosts") == []:
        yield (
            "carrier.login_hosts",
            f"{_HOST_NEEDED} that “Go to my account” may lead to, or leave the key out",
        )


def _bad_url(plan: Plan) -> set[str]:
    return {"carrier_url"} if "carrier.url" in plan.entry.bad else set()


def _hosts(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.entry.values.get("hosts") == []:
        yield "hosts", _HOST_NEEDED
    for row in plan.hosts:
        for texts in _complaints(row, {"brand"}).values():
            yield from (("hosts", f"{row.host}: {text}") for text in texts)
    for host, times in Counter(row.host for row in plan.hosts).items():
        if times > 1:
            yield "hosts", f"{host} is named {times} times"


def _codes(plan: Plan) -> Iterator[tuple[str, str]]:
    for row in plan.codes:
        # The meaning is judged by the carrier's client, which names those there are.
        for texts in _complaints(row, {"brand", "meaning"}).values():
            yield from ((f"codes.{row.code}", text) for text in texts)


def _methods(plan: Plan) -> Iterator[tuple[str, str]]:
    for row in plan.overrides:
        for name, texts in _complaints(row, {"brand"}).items():
            # Of a map the text begins with the entry it is about: `account_number: …`.
            mark = "." if name in _MAPS else ": "
            for text in texts:
                key, _mark, words = f"{name}{mark}{text}".partition(": ")
                yield f"methods.{row.method}.{key}", words


def _carrier(plan: Plan) -> Iterator[tuple[str, str]]:
    """What only the connection as a whole shows: a key that no header can carry, a path on another host."""
    try:
        Carrier(
            url=plan.brand.carrier_url,
            key=Secret(_key(plan)),
            methods=_usable(plan),
            codes=plan.entry.codes,
            reach=settings.CARRIER_REACH,
        )
    except MappingError as error:
        for key, words in error.problems:
            if key != "url":  # The model has said so.
                yield ("carrier.key" if key == "key" else key), words


def _key(plan: Plan) -> str:
    """The API key; where it is known to be wrong or cannot be read here, some text that passes."""
    if "carrier.key" in plan.entry.bad:
        return "unknown"
    try:
        return plan.brand.reveal("carrier_key")
    except SecretUnreadable:
        return "unknown"


def _usable(plan: Plan) -> dict[str, Method]:
    methods = dict(METHODS)
    for row in plan.overrides:
        try:
            methods[row.method] = row.customised()
        except MappingError:
            continue  # The model has said so.
    return methods
