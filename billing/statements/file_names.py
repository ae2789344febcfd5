"""Names of downloaded files, which say what is in them without opening them."""

import re
import unicodedata

from billing.statements.periods import Period
from portal.models import Brand

_MAX_PART = 40


def build_file_name(*, brand: Brand, account_number: str, period: Period, ending: str) -> str:
    """Return a name like `aurora-70001-2026-10.pdf`, for part of a month or several with both dates.

    It has ASCII letters, digits, hyphens, underscores and one dot, so any system and header can take it.
    """
    first, last = period.from_date, period.to_date
    span = f"{first:%Y-%m}" if period.is_month else f"{first}_{last}"
    parts = [_clean(brand.slug), _clean(account_number), span]
    return f"{'-'.join(part for part in parts if part)}.{ending}"


def _clean(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:_MAX_PART].rstrip("-")
