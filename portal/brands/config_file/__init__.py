"""Apply a configuration file: store all its brands in the database, or none of them.

`parser` reads the file, `diff` compares it with the database, `validation` checks it with the models. This
module saves it.
"""

from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from portal.brands.config_file.diff import BrandDiff, diff_brand
from portal.brands.config_file.parser import ConfigError, read
from portal.brands.config_file.validation import validate_all, validate_brand
from portal.models import BrandHost, MethodOverride, ResponseCode

__all__ = ["Applied", "ConfigError", "apply"]


@dataclass(frozen=True)
class Applied:
    """The result: (slug, outcome) for each brand, and warnings for the operator."""

    brands: list[tuple[str, str]]
    warnings: list[str]


def apply(path: Path) -> Applied:
    """Create or update each brand of the file. If anything is wrong, raise ConfigError and change nothing."""
    entries, findings = read(path)
    with transaction.atomic():
        diffs = [diff_brand(entry, path.parent, findings) for entry in entries]
        for diff in diffs:
            validate_brand(diff, findings)
        validate_all(diffs, findings)
        if findings.problems:
            raise ConfigError(findings.problems)
        _save(diffs)
    return Applied([(diff.brand.slug, diff.outcome) for diff in diffs], findings.warnings)


def _save(diffs: list[BrandDiff]) -> None:
    changed = [diff for diff in diffs if diff.changed]
    for diff in changed:
        if "from_email" in diff.changed:  # No test mail has been sent from the new sender.
            diff.brand.mail_tested_at = None
        diff.brand.save()
    # Delete all hosts before adding any, so that two brands can swap theirs.
    with_new_hosts = [diff for diff in changed if "hosts" in diff.changed]
    BrandHost.objects.filter(brand__in=[diff.brand for diff in with_new_hosts]).delete()
    BrandHost.objects.bulk_create(host for diff in with_new_hosts for host in diff.hosts)
    for diff in changed:
        _save_methods(diff)
        if "codes" in diff.changed:
            diff.brand.response_codes.all().delete()
            ResponseCode.objects.bulk_create(diff.codes)


def _save_methods(diff: BrandDiff) -> None:
    names = [key.removeprefix("methods.") for key in diff.changed if key.startswith("methods.")]
    diff.brand.overrides.filter(method__in=names).delete()
    MethodOverride.objects.bulk_create(override for override in diff.overrides if override.method in names)
