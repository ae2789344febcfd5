"""Two-factor sign-in of a staff user, on their admin page: its state, its events, and its reset."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import StaffEvent, User
from accounts.staff import totp, two_step
from accounts.staff.views.base import get_signed_in_staff, render_staff_page
from accounts.views.forms import form_view
from portal.admin.reauthentication import needs_recent_authentication
from portal.brands.access import is_operator
from portal.core.formats import zoned_time

_MAX_EVENTS = 20


class AuthenticatorMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Pages that need a recent reauthentication: reset the authenticator app, and set a password."""

    device_fieldset = (_("Sign-in"), {"fields": ("authenticator_in_words", "staff_history")})
    device_fields = ("authenticator_in_words", "staff_history")

    def get_urls(self) -> list[URLPattern]:
        """Put our password page before Django's of the same pattern."""
        reset = self.admin_site.admin_view(form_view(needs_recent_authentication(self.reset_view)))
        password = needs_recent_authentication(self.user_change_password)  # type: ignore[attr-defined]
        return [
            path("<int:pk>/reset-authenticator/", reset, name="accounts_user_reset_authenticator"),
            path("<id>/password/", self.admin_site.admin_view(password), name="auth_user_password_change"),
            *super().get_urls(),
        ]

    def reset_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Confirm, then reset the app. For operators only, and not for their own app."""
        user = self.get_object(request, str(pk))
        if not isinstance(user, User) or user.brand_id:
            raise Http404
        if not is_operator(request.user):
            raise PermissionDenied
        if user.pk == request.user.pk:
            messages.info(request, gettext("You can't reset your own app. Set up a new one here instead."))
            return redirect("staff_security")
        if request.method == "POST":
            self._reset(request, user)
            return redirect("admin:accounts_user_change", user.pk)
        context = {"person": user, "opts": self.opts}
        return render_staff_page(request, "reset", gettext("Reset the authenticator app"), context)

    def _reset(self, request: HttpRequest, user: User) -> None:
        by = get_signed_in_staff(request)
        totp.reset_authenticator(user=user, by=by)
        self.log_change(request, user, [{"changed": {"fields": [gettext("Authenticator app: reset")]}}])
        words = gettext("The authenticator app has been reset. Another one is set up at the next sign-in.")
        self.message_user(request, words, messages.SUCCESS)
        if not two_step.send_reset_notice(user=user, by=by):
            words = gettext("We couldn't email the person. Tell them yourself.")
            self.message_user(request, words, messages.WARNING)

    @admin.display(description=_("Authenticator app"))
    def authenticator_in_words(self, user: User) -> str | SafeString:
        """Return when the app was set up and how many recovery codes are left."""
        device = totp.get_device(user=user)
        if device is None:
            return gettext("None yet. The next sign-in begins with setting one up.")
        words = gettext("Set up on %(when)s. Recovery codes left: %(left)d.") % {
            "when": zoned_time(device.created_at) if device.created_at else "?",
            "left": totp.count_recovery_codes(user=user),
        }
        url = reverse("admin:accounts_user_reset_authenticator", args=(user.pk,))
        return format_html('{} <a href="{}">{}</a>', words, url, gettext("Reset it, if it is lost"))

    @admin.display(description=_("What happened last"))
    def staff_history(self, user: User) -> Any:
        """Return the newest events of this user's sign-in."""
        events = StaffEvent.objects.filter(user=user).select_related("by")[:_MAX_EVENTS]
        return render_to_string("admin/staff/_events.html", {"events": events})
