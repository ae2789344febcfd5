"""The brand a command is about."""

from django.core.management.base import CommandError

from portal.models import Brand


def find_brand(slug: str) -> Brand:
    """The brand with this slug. Raises CommandError, naming those there are."""
    if brand := Brand.objects.filter(slug=slug).first():
        return brand
    slugs = ", ".join(Brand.objects.order_by("slug").values_list("slug", flat=True))
    raise CommandError(
        f"There is no brand {slug}. {f'There are: {slugs}' if slugs else 'There is none yet.'}"
    )
