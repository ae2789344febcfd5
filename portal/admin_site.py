"""The admin: on its own hosts, for operators and for the brands' staff."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLResolver, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from portal import ratelimit
from portal.admin_scope import brands_of, is_operator, works_here


class OperatorSignInForm(AdminAuthenticationForm):
    """E-mail address and password; whoever is no operator reads the same words as with a wrong password."""

    username = forms.EmailField(
        label=_("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    error_messages = {
        "invalid_login": _("This e-mail address and password do not open the admin."),
        "inactive": _("This e-mail address and password do not open the admin."),
    }

    def __init__(self, request: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        # Django takes label and length from `User.username`, which is not what is typed here.
        self.fields["username"].label = _("E-mail address")
        self.fields["username"].widget.attrs["maxlength"] = 254

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        """Refuse everybody but operators."""
        if not is_operator(user):
            raise self.get_invalid_login_error()


def _lead_to(login_url: Any, patterns: list[Any]) -> None:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            _lead_to(login_url, pattern.url_patterns)
        elif getattr(pattern.callback, "login_required", True):
            pattern.callback.login_url = login_url


# “View on site” looks up any row of any table; nothing here has a page on a site.
_LEFT_OUT = ("view_on_site",)


class StaffSite(AdminSite):
    """Django's admin, closed to everybody but those who work here; `admin_scope` says who sees what."""

    site_header = _("Customer portal")
    site_title = _("Customer portal")
    index_title = _("Brands and users")
    site_url = None
    login_form = OperatorSignInForm

    def has_permission(self, request: HttpRequest) -> bool:
        """Only those who work here pass."""
        return works_here(request.user)

    def get_urls(self) -> list[Any]:
        """Every page leads a stranger to our sign-in; Django itself leaves out the models' pages."""
        patterns = [each for each in super().get_urls() if getattr(each, "name", "") not in _LEFT_OUT]
        _lead_to(reverse_lazy("admin:login", current_app=self.name), patterns)
        return patterns

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The first page; for staff it is about their brands."""
        operator = is_operator(request.user)
        context: dict[str, Any] = {"works_for": operator or brands_of(request.user).exists()}
        if not operator:
            context["title"] = gettext("Your brands and their customers")
        return super().index(request, {**context, **(extra_context or {})})

    @method_decorator(never_cache)
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The sign-in page; so many tries per client network, whatever was typed."""
        if request.method == "POST":
            try:
                ratelimit.hit(action="admin_sign_in", network=request.client_network)  # type: ignore[attr-defined]
            except ratelimit.Limited as limited:
                return self._too_many(request, limited.retry_after)
        return super().login(request, {"username": str(request.user), **(extra_context or {})})

    def _too_many(self, request: HttpRequest, retry_after: int) -> HttpResponse:
        context = {
            **self.each_context(request),
            "title": _("Too many tries"),
            "subtitle": None,
            "minutes": -(-retry_after // 60),
        }
        headers = {"Retry-After": str(retry_after)}
        return TemplateResponse(request, "admin/too_many.html", context, status=429, headers=headers)


site = StaffSite(name="admin")


def admin_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view of our own inside the admin: for whoever may enter; a stranger is led to the sign-in."""
    page = site.admin_view(view)
    page.login_url = reverse_lazy("admin:login")  # type: ignore[attr-defined]
    return page
