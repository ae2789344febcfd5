"""Template tags for line icons, and for a page's own style sheet."""

from django import template
from django.template import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# The lines of each icon, on a grid of 24.
_ICONS = {
    "balance": '<path d="M4 17a9 9 0 1 1 16 0M12 15l4-6"/>',
    "statements": '<path d="M6 3h9l4 4v14H6zM14 3v5h5M9 13h7M9 17h7"/>',
    "history": '<path d="M4 20h16M7 20v-7M12 20V6M17 20v-4"/>',
    "phone": '<path d="M5 4h4l2 5-3 2a12 12 0 0 0 5 5l2-3 5 2v4q0 1-1 1A16 16 0 0 1 4 5q0-1 1-1z"/>',
    "person": '<path d="M4 21a8 8 0 0 1 16 0"/><circle cx="12" cy="8" r="4"/>',
    "device": '<rect x="7" y="3" width="10" height="18" rx="2"/><path d="M11 18h2"/>',
    "external": '<path d="M8 16 17 7M9 7h8v8"/>',
    "low": '<path d="M12 4 2.5 20h19zM12 10v5M12 17.5v.5"/>',
    "stopped": '<circle cx="12" cy="12" r="9"/><path d="M12 7v6M12 16.5v.5"/>',
    "healthy": '<circle cx="12" cy="12" r="9"/><path d="m8 12.5 3 3 5-6"/>',
    "down": '<path d="m6 9 6 6 6-6"/>',
    "out": '<path d="M14 4H5v16h9M10 12h10M17 8l4 4-4 4"/>',
    "globe": '<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18"/>',
}


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return the line icon of this name as inline SVG, hidden from screen readers. Raises KeyError."""
    svg = f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{_ICONS[name]}</svg>'
    return SafeString(svg)  # nosec B703 - From the table above alone.


@register.simple_tag(takes_context=True)
def sheet(context: Context, name: str) -> SafeString:
    """Return the link to a style sheet of static/css; in a preview, to its copy there."""
    preview = context["request"].preview
    address = f"{preview['start']}{name}" if preview else static(f"css/{name}")
    return format_html('<link rel="stylesheet" href="{}">', address)
