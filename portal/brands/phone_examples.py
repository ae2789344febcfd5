"""Example telephone numbers in the usual format of a brand's country. They are not in use."""

from portal.models import Brand

# From ranges reserved for fiction: ACMA's, Ofcom's, and the 555 of North America and New Zealand.
_BY_CURRENCY = {
    "AUD": "+61 2 5550 0100",
    "NZD": "+64 9 555 0100",
    "USD": "+1 212 555 0100",
    "GBP": "+44 20 7946 0100",
}


def get_example(brand: Brand) -> str:
    """Return an example number of the country whose currency the brand uses."""
    return _BY_CURRENCY.get(brand.currency, _BY_CURRENCY["AUD"])
