"""Live preview of a brand's unsaved look, and test mail, on the brand's admin page."""

from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from portal.admin.brand.forms import BrandForm
from portal.mail import test_mail
from portal.mail.send import MailNotSent
from portal.models import Brand
from portal.preview import drafts, rendering
from portal.resilience import rate_limits


class MailTestForm(forms.Form):
    """The recipient of the test mail."""

    to = forms.EmailField(
        label=_("Send it to"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class PreviewAdmin(ModelAdmin):  # type: ignore[type-arg]
    """Add the preview and the test mail to the brand's page."""

    def get_urls(self) -> list[URLPattern]:
        """Add the three URLs, each for POST only."""
        admin_view = self.admin_site.admin_view
        return [
            path("preview/", admin_view(self.preview_view), name="portal_brand_preview_new"),
            path("<int:pk>/preview/", admin_view(self.preview_view), name="portal_brand_preview"),
            path("<int:pk>/test-mail/", admin_view(self.test_mail_view), name="portal_brand_test_mail"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Render the page; for users who may change the brand, with previews in frames."""
        brand: Brand | None = kwargs.get("obj")
        if not self.has_change_permission(request):
            return super().render_change_form(request, context, *args, **kwargs)
        context["brand_tools"] = {
            "preview_url": reverse("admin:portal_brand_preview", args=(brand.pk,))
            if brand
            else reverse("admin:portal_brand_preview_new"),
            "fields": " ".join(drafts.FIELDS),
            "pages": rendering.page_choices(),
            "test_mail": MailTestForm(
                initial={"to": getattr(request.user, "email", "")}, auto_id="test_mail_%s"
            ),
        }
        return self._with_frames(request, context, *args, **kwargs)

    @method_decorator(csp_update({"frame-src": [SELF]}))
    def _with_frames(self, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().render_change_form(*args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Brand, form: Any, change: bool) -> None:
        """Save the brand. A new sender has not been tested yet."""
        if "from_email" in form.changed_data:
            obj.mail_tested_at = None
        super().save_model(request, obj, form, change)

    @method_decorator(require_POST)
    @method_decorator(sensitive_post_parameters())
    def preview_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Store the form's values as a draft. Return JSON with its link or, without script, a redirect to it.

        JSON: `token` and `link`, or `problems` (see `portal.preview.drafts.look_from_form`).
        """
        if not self.has_change_permission(request):
            raise PermissionDenied
        brand = get_object_or_404(Brand, pk=pk) if pk else None
        form = BrandForm(request.POST, request.FILES, instance=brand)
        look, problems = drafts.look_from_form(form)
        live = "again" in request.POST
        if problems:
            return JsonResponse({"problems": problems}) if live else self._problems(request, problems)
        token = drafts.save_preview(
            brand=brand,
            look=look,
            logo=drafts.logo_from_form(form, brand),
            previous_token=request.POST.get("again", ""),
            keep=not live or "keep" in request.POST,
        )
        link = request.build_absolute_uri(reverse("preview:start", args=(token,)))
        if live:
            return JsonResponse({"token": token, "link": link})
        return HttpResponseRedirect(link)

    def _problems(self, request: HttpRequest, problems: list[dict[str, str]]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("No preview yet"),
            "problems": problems,
        }
        return TemplateResponse(request, "admin/portal/brand/preview_problems.html", context)

    @method_decorator(require_POST)
    def test_mail_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send a test mail, and show the result on the brand's page."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        brand = get_object_or_404(Brand, pk=pk)
        level, words = _test_mail(brand, MailTestForm(request.POST), str(request.user.pk))
        if level == messages.SUCCESS:
            self.log_change(request, brand, gettext("Sent a test email."))
        self.message_user(request, words, level)
        return HttpResponseRedirect(reverse("admin:portal_brand_change", args=(pk,)))


def _test_mail(brand: Brand, form: MailTestForm, operator: str) -> tuple[int, str]:
    if not form.is_valid():
        return messages.ERROR, gettext("No test email was sent. Enter the email address to send it to.")
    to = form.cleaned_data["to"]
    try:
        rate_limits.consume(action="test_mail", account=operator)
        test_mail.send_test_mail(brand=brand, to=to)
    except rate_limits.Limited as error:
        return messages.WARNING, _too_many(-(-error.retry_after // 60))
    except MailNotSent as error:
        return messages.ERROR, test_mail.in_words(error)
    words = gettext(
        "The email server took the test email to %(to)s. Check that inbox. The email must come from "
        "“%(sender)s” and not be in the spam folder."
    )
    return messages.SUCCESS, words % {"to": to, "sender": brand.from_email}


def _too_many(minutes: int) -> str:
    words = ngettext(
        "No test email was sent, because there were too many. Try again in %(minutes)d minute.",
        "No test email was sent, because there were too many. Try again in %(minutes)d minutes.",
        minutes,
    )
    return words % {"minutes": minutes}
