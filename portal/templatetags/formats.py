"""Template filters for money, dates and times, and the language switcher."""

from django import template

from portal.core import formats, money
from portal.i18n import language

register = template.Library()

register.filter("money", money.format_money)
register.filter("signed_money", money.format_signed_money)
register.filter("compact_money", money.format_compact_money)
register.filter(formats.day)
register.filter(formats.month)
register.filter(formats.month_name)
register.filter(formats.short_month)
register.filter(formats.short_month_and_year)
register.filter(formats.year)
register.filter(formats.date_time)
register.filter(formats.updated)
register.filter(formats.zoned_time)
register.filter(formats.code_groups)
register.filter(formats.is_today)
register.filter(formats.clock)
register.filter(formats.short_day)
register.filter(formats.nowrap)


@register.simple_tag
def language_choices() -> list[dict[str, str | bool]]:
    """Return the entries of the language switcher. See `portal.i18n.language.choices`."""
    return language.choices()
