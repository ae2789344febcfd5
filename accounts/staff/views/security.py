"""“Your sign-in”: staff view and change their own password, app and recovery codes."""

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe
from django_otp import login as otp_login

from accounts.models import StaffEvent
from accounts.staff import notices, totp
from accounts.staff.forms import EnrolForm
from accounts.staff.totp import AlreadySetUp, CodeWrong
from accounts.staff.views.base import code_error_message, get_signed_in_staff, rate_limited, render_staff_page
from accounts.staff.views.enrolment import get_pending_key, render_setup_page
from accounts.views.forms import form_view
from portal.admin.reauthentication import needs_recent_authentication
from portal.admin.site import site
from portal.security.crypto import RedactedTuple

_MAX_EVENTS = 10


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """/admin/security/: state and latest events of the user's own sign-in."""
    user = get_signed_in_staff(request)
    wanted = notices.get_wanted(user=user)
    context = {
        "device": totp.get_device(user=user),
        "left": totp.count_recovery_codes(user=user),
        "notices": [(kind, label, kind in wanted) for kind, label in notices.KINDS.items()],
        "events": StaffEvent.objects.filter(user=user).select_related("by")[:_MAX_EVENTS],
    }
    return render_staff_page(request, "security", _("Security"), context)


@require_POST
def choose_notices(request: HttpRequest) -> HttpResponse:
    """/admin/security/emails/: store which emails the user wants."""
    notices.set_wanted(user=get_signed_in_staff(request), kinds=request.POST.getlist("notice"))
    messages.success(request, _("Saved. You'll get the emails you chose."))
    return redirect("staff_security")


@require_POST
@needs_recent_authentication
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """/admin/security/recovery-codes/: create ten new codes, shown in this response only."""
    codes = totp.create_recovery_codes(user=get_signed_in_staff(request))
    return render_staff_page(
        request, "recovery_codes", _("Keep your recovery codes"), {"codes": RedactedTuple(codes)}
    )


@form_view
@sensitive_post_parameters()
@needs_recent_authentication
def replace_app(request: HttpRequest) -> HttpResponse:
    """/admin/security/app/: replace the app; sessions of the former app end."""
    user, key = get_signed_in_staff(request), get_pending_key(request)
    form = EnrolForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            device, codes = totp.replace_authenticator(user=user, key=key, code=form.cleaned_data["code"])
        except AlreadySetUp:
            return redirect("staff_security")
        except CodeWrong as error:
            form.add_error("code", code_error_message(error))
        else:
            del request.session["staff_key"]
            request.session.cycle_key()
            otp_login(request, device)
            context = {"codes": RedactedTuple(codes), "replaced": True}
            return render_staff_page(request, "recovery_codes", _("Keep your recovery codes"), context)
    return render_setup_page(request, "replace", user, key, form)


@rate_limited
@sensitive_post_parameters()
@needs_recent_authentication
def password_change(request: HttpRequest) -> HttpResponse:
    """/admin/password_change/: Django's page to change one's own password. All other sessions end."""
    response = site.password_change(request)
    if isinstance(response, HttpResponseRedirect) and request.method == "POST":
        user = get_signed_in_staff(request)
        users = get_user_model().objects.filter(pk=user.pk)
        LogEntry.objects.log_actions(user.pk, users, CHANGE, [{"changed": {"fields": [_("Password")]}}])
        messages.success(request, _("Your password is changed. Everywhere else you are signed out."))
        return redirect("staff_security")
    return response


@require_safe
def keepalive(request: HttpRequest) -> HttpResponse:
    """/admin/still-here/: keep the session alive while the user types, so that a long form is not lost."""
    return HttpResponse(status=204)
