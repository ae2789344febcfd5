"""URLs of the customer pages."""

from django.urls import path

from accounts.views import (
    account,
    carrier_login,
    email_change,
    password_reset,
    sign_in,
    sign_in_again,
    sign_up,
)

app_name = "accounts"

urlpatterns = [
    path("sign-up/", sign_up.sign_up, name="sign_up"),
    path("sign-up/confirm/", sign_up.confirm, name="confirm"),
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/code/", sign_in.sign_in_code, name="sign_in_code"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("password-reset/", password_reset.password_reset, name="password_reset"),
    path("password-reset/sent/", password_reset.password_reset_sent, name="password_reset_sent"),
    path("sign-in/again/", sign_in_again.sign_in_again, name="sign_in_again"),
    path("sign-in/again/code/", sign_in_again.sign_in_again_code, name="sign_in_again_code"),
    path("account/", account.account, name="account"),
    path("account/email/", email_change.email, name="email"),
    path("account/email/code/", email_change.email_code, name="email_code"),
    path("account/open/", carrier_login.account_open, name="account_open"),
]
