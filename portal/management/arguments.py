"""Arguments that several commands share."""

from django.core.management.base import CommandError

from portal.models import Brand


def find_brand(slug: str) -> Brand:
    """Return the brand with this slug. Raise CommandError, which lists the existing slugs."""
    if brand := Brand.objects.filter(slug=slug).first():
        return brand
    slugs = ", ".join(Brand.objects.order_by("slug").values_list("slug", flat=True))
    raise CommandError(
        f"There is no brand {slug}. {f'There are: {slugs}' if slugs else 'There is none yet.'}"
    )
