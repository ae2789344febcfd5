"""Template tag for the action items on the admin's index."""

from typing import Any

from django import template

from billing.admin.action_items import get_action_items
from portal.brands.access import Person, get_brands, is_operator

register = template.Library()


@register.inclusion_tag("admin/billing/_action_items.html")
def action_items(user: Person) -> dict[str, Any]:
    """Render the action items of the user's brands, if any."""
    operates = is_operator(user)
    return {"needs": get_action_items(brands=get_brands(user), operates=operates), "operates": operates}
