"""What a brand of the file would be in the database, and which of its keys differ from what is there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from portal.brands.config_file.parser import Entry, Findings
from portal.brands.logo import MAX_BYTES, read_logo
from portal.models import Brand, BrandHost, MethodOverride, ResponseCode
from portal.security.crypto import SecretUnreadable, encrypt

_SAME_NAMES = (
    *("slug", "name", "currency", "timezone", "language", "accent", "support_email"),
    *("support_phone", "from_email", "terms_url", "privacy_url", "signup_open"),
)
# Key in the file → field of the brand.
FIELDS = {
    **{name: name for name in _SAME_NAMES},
    "carrier.url": "carrier_url",
    "carrier.login_hosts": "login_hosts",
    "recaptcha.site_key": "recaptcha_site_key",
    "recaptcha.kind": "recaptcha_kind",
}
SECRETS = {"carrier.key": "carrier_key", "recaptcha.secret_key": "recaptcha_secret_key"}
_OVERRIDE_FIELDS = ("path", "body", "date_format", "parameters", "constants", "results")


@dataclass
class Plan:
    """A brand as the file wants it, not saved yet; `changed` lists the keys that differ from the database."""

    entry: Entry
    brand: Brand
    new: bool
    changed: list[str] = field(default_factory=list)
    hosts: list[BrandHost] = field(default_factory=list)
    overrides: list[MethodOverride] = field(default_factory=list)
    codes: list[ResponseCode] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """`created`, `updated (…)` or `unchanged`."""
        if self.new:
            return "created"
        return f"updated ({', '.join(self.changed)})" if self.changed else "unchanged"

    def put(self, key: str, name: str, value: Any) -> None:
        """Give the brand a field's value, and remember the key if it had another one."""
        if getattr(self.brand, name) != value:
            setattr(self.brand, name, value)
            self.changed.append(key)


def plan_of(entry: Entry, folder: Path, findings: Findings) -> Plan:
    """Compare one brand of the file with the database; `folder` is where its logo lies."""
    known = Brand.objects.filter(slug=entry.values.get("slug", "")).first()
    plan = Plan(entry, known or Brand(), new=known is None)
    for key, name in FIELDS.items():
        plan.put(key, name, entry.values[key] if key in entry.values else _default(entry, name))
    for key in SECRETS:
        _put_secret(plan, key, findings)
    _put_logo(plan, folder, findings)
    _put_hosts(plan)
    _put_methods(plan)
    _put_codes(plan)
    return plan


def _default(entry: Entry, name: str) -> Any:
    if name == "login_hosts":
        return _own_host(entry.values.get("carrier.url", ""))
    return getattr(Brand(), name)


def _own_host(url: str) -> list[str]:
    try:
        host = urlsplit(url).netloc.lower()
    except ValueError:
        return []
    return [host] if host else []


def _put_secret(plan: Plan, key: str, findings: Findings) -> None:
    text = plan.entry.values.get(key, "").strip()
    try:
        sealed = encrypt(text)
        if not _holds(plan.brand, SECRETS[key], text):
            plan.put(key, SECRETS[key], sealed)
        sealed.reveal()
    except ValueError as error:
        plan.entry.bad.add(key)
        findings.wrong(plan.entry.label, key, error)
    except SecretUnreadable as error:
        findings.warn(plan.entry.label, key, error)


def _holds(brand: Brand, name: str, text: str) -> bool:
    """Whether this secret is stored already. Each encryption differs, so the texts are compared."""
    stored = getattr(brand, name)
    if text.startswith("env:") or stored.stored.startswith("env:"):
        return bool(stored.stored == text)
    try:
        return bool(stored.reveal() == text)
    except SecretUnreadable:
        return False


def _put_logo(plan: Plan, folder: Path, findings: Findings) -> None:
    values: tuple[bytes, str, str] = (b"", "", "")
    if name := plan.entry.values.get("logo", ""):
        try:
            values = read_logo(_bytes_beside(folder, name))
        except ValueError as error:
            findings.wrong(plan.entry.label, "logo", error)
            return
    if plan.brand.logo_hash != values[2]:
        plan.brand.logo, plan.brand.logo_type, plan.brand.logo_hash = values
        plan.changed.append("logo")


def _bytes_beside(folder: Path, name: str) -> bytes:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("the picture must lie beside this file, or in a folder below it")
    if not path.is_file():
        raise ValueError(f"there is no file {name} beside this one")
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}") from error


def _put_hosts(plan: Plan) -> None:
    wanted = [host.lower().removesuffix(".") for host in plan.entry.values.get("hosts", [])]
    plan.hosts = [BrandHost(brand=plan.brand, host=host, position=n) for n, host in enumerate(wanted)]
    stored = [] if plan.new else [host.host for host in plan.brand.hosts.all()]
    if stored != wanted:
        plan.changed.append("hosts")


def _put_methods(plan: Plan) -> None:
    plan.overrides = [
        MethodOverride(brand=plan.brand, method=method, **keys) for method, keys in plan.entry.methods.items()
    ]
    stored = {} if plan.new else {row.method: _content(row) for row in plan.brand.overrides.all()}
    wanted = {row.method: _content(row) for row in plan.overrides}
    changed = [method for method in {**stored, **wanted} if stored.get(method) != wanted.get(method)]
    plan.changed += [f"methods.{method}" for method in changed]


def _content(override: MethodOverride) -> list[Any]:
    return [getattr(override, name) for name in _OVERRIDE_FIELDS]


def _put_codes(plan: Plan) -> None:
    wanted = plan.entry.codes
    plan.codes = [
        ResponseCode(brand=plan.brand, code=code, meaning=meaning) for code, meaning in wanted.items()
    ]
    if ({} if plan.new else plan.brand.codes()) != wanted:
        plan.changed.append("codes")
