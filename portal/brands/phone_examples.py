"""A telephone number as people write one where the brand is; for examples alone, nobody has these numbers."""

from portal.models import Brand

# From the ranges that are kept for fiction: ACMA's, Ofcom's, and the 555 of North America and New Zealand.
_BY_CURRENCY = {
    "AUD": "+61 2 5550 0100",
    "NZD": "+64 9 555 0100",
    "USD": "+1 212 555 0100",
    "GBP": "+44 20 7946 0100",
}


def example_of(brand: Brand) -> str:
    """A number of the country whose money the brand takes."""
    return _BY_CURRENCY.get(brand.currency, _BY_CURRENCY["AUD"])
