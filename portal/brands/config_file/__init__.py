"""`apply_config`: the brands of a file become the brands of the database, all of them or none.

`parser` reads the file, `diff` compares it with the database, `validation` asks the models; here it is
saved.
"""

from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from portal.brands.config_file.diff import Plan, plan_of
from portal.brands.config_file.parser import ConfigError, read
from portal.brands.config_file.validation import check_across, check_plan
from portal.models import BrandHost, MethodOverride, ResponseCode

__all__ = ["Applied", "ConfigError", "apply"]


@dataclass(frozen=True)
class Applied:
    """What became of each brand (slug, words), and what the operator should hear besides."""

    brands: list[tuple[str, str]]
    warnings: list[str]


def apply(path: Path) -> Applied:
    """Make each brand of the file as the file says. Raises ConfigError, and then nothing has changed."""
    entries, findings = read(path)
    with transaction.atomic():
        plans = [plan_of(entry, path.parent, findings) for entry in entries]
        for plan in plans:
            check_plan(plan, findings)
        check_across(plans, findings)
        if findings.problems:
            raise ConfigError(findings.problems)
        _save(plans)
    return Applied([(plan.brand.slug, plan.outcome) for plan in plans], findings.warnings)


def _save(plans: list[Plan]) -> None:
    changed = [plan for plan in plans if plan.changed]
    for plan in changed:
        if "from_email" in plan.changed:  # A new sender is one that no test mail has tried.
            plan.brand.mail_tested_at = None
        plan.brand.save()
    # All hosts go before any comes, so that two brands may swap theirs.
    moving = [plan for plan in changed if "hosts" in plan.changed]
    BrandHost.objects.filter(brand__in=[plan.brand for plan in moving]).delete()
    BrandHost.objects.bulk_create(host for plan in moving for host in plan.hosts)
    for plan in changed:
        _save_methods(plan)
        if "codes" in plan.changed:
            plan.brand.response_codes.all().delete()
            ResponseCode.objects.bulk_create(plan.codes)


def _save_methods(plan: Plan) -> None:
    names = [key.removeprefix("methods.") for key in plan.changed if key.startswith("methods.")]
    plan.brand.overrides.filter(method__in=names).delete()
    MethodOverride.objects.bulk_create(override for override in plan.overrides if override.method in names)
