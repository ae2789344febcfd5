"""The admin site: on its own hosts, for operators and for the brands' staff."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLResolver, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.admin.sessions import is_verified
from portal.brands.access import get_brands, is_active_staff, is_operator

View = Callable[..., HttpResponse]


def _set_login_url(login_url: Any, patterns: list[Any]) -> None:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            _set_login_url(login_url, pattern.url_patterns)
        elif getattr(pattern.callback, "login_required", True):
            pattern.callback.login_url = login_url


# “View on site” would look up any row of any table, and no model here has a page on the site.
_EXCLUDED_URLS = ("view_on_site",)


class StaffSite(AdminSite):
    """Django's admin, for active staff only; `portal.admin.scoping` limits the rows."""

    site_header = _("Customer portal")
    site_title = _("Customer portal")
    index_title = _("Overview")
    logout_template = "admin/staff/signed_out.html"
    enable_nav_sidebar = False  # The navigation is in the header, so that lists have the width.
    site_url = None

    def has_permission(self, request: HttpRequest) -> bool:
        """Return True for active staff who have completed both steps of the sign-in."""
        return is_active_staff(request.user) and is_verified(request.user)

    def get_urls(self) -> list[Any]:
        """Set our sign-in as the login URL of every page; Django does not do so for the models' pages."""
        patterns = [url for url in super().get_urls() if getattr(url, "name", "") not in _EXCLUDED_URLS]
        _set_login_url(reverse_lazy("admin:login", current_app=self.name), patterns)
        return patterns

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Reject a NUL in the query of any page: PostgreSQL can neither store one nor search for it."""

        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if any("\0" in value for _name, values in request.GET.lists() for value in values):
                raise BadRequest("a NUL in the query")
            response: HttpResponse = view(request, *args, **kwargs)
            return response

        return super().admin_view(wrapper, cacheable)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the index; its title for staff is about their brands."""
        operator = is_operator(request.user)
        context: dict[str, Any] = {"works_for": operator or get_brands(request.user).exists()}
        if not operator:
            context["title"] = gettext("Your brands and their customers")
        return super().index(request, {**context, **(extra_context or {})})

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Sign out, and say so in our words."""
        return super().logout(request, {"title": gettext("Signed out"), **(extra_context or {})})

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Disable Django's own sign-in page, which asks only for a password.

        Its URL belongs to `accounts.staff.views.sign_in`, which comes before it in the URL table.
        """
        raise Http404


site = StaffSite(name="admin")


def admin_page(view: View) -> View:
    """Decorate a view of our own inside the admin: users without permission are redirected to the sign-in."""
    page: Any = site.admin_view(view)
    page.login_url = reverse_lazy("admin:login")
    return cast(View, page)
