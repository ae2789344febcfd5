"""The part of a page's title that says that its form has errors."""

from django import template
from django.template import Context
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag(takes_context=True)
def error_prefix(context: Context) -> str:
    """Return "Error: " if the page's form has errors, else empty. A form still being processed has none."""
    form, outcome = context.get("form"), context.get("outcome")
    if not form or not form.is_bound or not form.errors or getattr(outcome, "state", "") == "pending":
        return ""
    return f"{_('Error:')} "
