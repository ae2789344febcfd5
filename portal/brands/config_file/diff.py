"""Compare each brand of the file with the database and list the keys that differ."""

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
    *("account_type", "top_up_url", "how_to_pay"),
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
class BrandDiff:
    """A brand with the file's values, not saved yet. `changed` lists the keys that differ in the database."""

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

    def set_field(self, key: str, name: str, value: Any) -> None:
        """Set a field of the brand, and record the key if the value is new."""
        if getattr(self.brand, name) != value:
            setattr(self.brand, name, value)
            self.changed.append(key)


def diff_brand(entry: Entry, folder: Path, findings: Findings) -> BrandDiff:
    """Compare one brand of the file with the database. `folder` is the folder of its logo file."""
    stored = Brand.objects.filter(slug=entry.values.get("slug", "")).first()
    diff = BrandDiff(entry, stored or Brand(), new=stored is None)
    for key, name in FIELDS.items():
        diff.set_field(key, name, entry.values[key] if key in entry.values else _default(entry, name))
    for key in SECRETS:
        _set_secret(diff, key, findings)
    _set_logo(diff, folder, findings)
    _set_hosts(diff)
    _set_methods(diff)
    _set_codes(diff)
    return diff


def _default(entry: Entry, name: str) -> Any:
    if name == "login_hosts":
        return _carrier_host(entry.values.get("carrier.url", ""))
    return getattr(Brand(), name)


def _carrier_host(url: str) -> list[str]:
    try:
        host = urlsplit(url).netloc.lower()
    except ValueError:
        return []
    return [host] if host else []


def _set_secret(diff: BrandDiff, key: str, findings: Findings) -> None:
    text = diff.entry.values.get(key, "").strip()
    try:
        secret = encrypt(text)
        if not _is_stored(diff.brand, SECRETS[key], text):
            diff.set_field(key, SECRETS[key], secret)
        secret.reveal()
    except ValueError as error:
        diff.entry.invalid_keys.add(key)
        findings.add_problem(diff.entry.label, key, error)
    except SecretUnreadable as error:
        findings.add_warning(diff.entry.label, key, error)


def _is_stored(brand: Brand, name: str, text: str) -> bool:
    """Return True if this secret is stored already. Compares plain texts, since each encryption differs."""
    stored = getattr(brand, name)
    if text.startswith("env:") or stored.stored.startswith("env:"):
        return bool(stored.stored == text)
    try:
        return bool(stored.reveal() == text)
    except SecretUnreadable:
        return False


def _set_logo(diff: BrandDiff, folder: Path, findings: Findings) -> None:
    values: tuple[bytes, str, str] = (b"", "", "")
    if name := diff.entry.values.get("logo", ""):
        try:
            values = read_logo(_read_file(folder, name))
        except ValueError as error:
            findings.add_problem(diff.entry.label, "logo", error)
            return
    if diff.brand.logo_hash != values[2]:
        diff.brand.logo, diff.brand.logo_type, diff.brand.logo_hash = values
        diff.changed.append("logo")


def _read_file(folder: Path, name: str) -> bytes:
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


def _set_hosts(diff: BrandDiff) -> None:
    hosts = [host.lower().removesuffix(".") for host in diff.entry.values.get("hosts", [])]
    diff.hosts = [BrandHost(brand=diff.brand, host=host, position=n) for n, host in enumerate(hosts)]
    stored = [] if diff.new else [host.host for host in diff.brand.hosts.all()]
    if stored != hosts:
        diff.changed.append("hosts")


def _set_methods(diff: BrandDiff) -> None:
    diff.overrides = [
        MethodOverride(brand=diff.brand, method=method, **keys) for method, keys in diff.entry.methods.items()
    ]
    stored = {} if diff.new else {row.method: _content(row) for row in diff.brand.overrides.all()}
    new = {row.method: _content(row) for row in diff.overrides}
    changed = [method for method in {**stored, **new} if stored.get(method) != new.get(method)]
    diff.changed += [f"methods.{method}" for method in changed]


def _content(override: MethodOverride) -> list[Any]:
    return [getattr(override, name) for name in _OVERRIDE_FIELDS]


def _set_codes(diff: BrandDiff) -> None:
    codes = diff.entry.codes
    diff.codes = [
        ResponseCode(brand=diff.brand, code=code, meaning=meaning) for code, meaning in codes.items()
    ]
    if ({} if diff.new else diff.brand.codes()) != codes:
        diff.changed.append("codes")
