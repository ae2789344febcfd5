"""URLs of the admin's sign-in, below /admin/. They override Django's of the same paths."""

from django.urls import path

from accounts.staff.views import security, sign_in
from portal.admin.site import admin_page

urlpatterns = [
    path("login/", sign_in.sign_in, name="staff_sign_in"),
    path("login/code/", sign_in.sign_in_code, name="staff_code"),
    path("login/enrol/", sign_in.enrol, name="staff_enrol"),
    path("reauthenticate/", admin_page(sign_in.reauthenticate), name="staff_reauthenticate"),
    path("security/", admin_page(security.security), name="staff_security"),
    path("security/recovery-codes/", admin_page(security.recovery_codes), name="staff_recovery_codes"),
    path("security/emails/", admin_page(security.choose_notices), name="staff_notices"),
    path("security/app/", admin_page(security.replace_app), name="staff_replace_app"),
    path("password_change/", admin_page(security.password_change), name="staff_password_change"),
    path("still-here/", admin_page(security.keepalive), name="staff_still_here"),
]
