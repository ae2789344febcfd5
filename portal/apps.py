"""The portal app: brands and everything that belongs to no customer."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    """Registers the start checks."""

    name = "portal"
    verbose_name = _("Brands")

    def ready(self) -> None:
        """Import the checks, so that they are registered."""
        from portal import checks  # noqa: F401
