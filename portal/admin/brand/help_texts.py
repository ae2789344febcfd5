"""Help texts of a brand's fields for operators, with the source of each value and an example."""

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

API_KEY = _(
    "The partner portal shows it on the tab Integrations/API, under API. It is stored encrypted and never "
    "shown again."
)
SECRET_KEY = _(
    "Usually empty, because the carrier holds the secret key. Enter it only if you have it. The sign-in "
    "form then gets a captcha too."
)
FORGET_SECRET_KEY = _("Deletes the stored secret key. The sign-in form then has no captcha.")
REMOVE_LOGO = _("Deletes the logo. Customers then see the name.")
HOST_HELP = {
    "host": _("The name customers type, without https:// and without a path. Example: portal.aurora.example"),
    "position": _("If there are several hosts, links in emails lead to the one with the lowest number."),
}
OVERRIDE_HELP = {
    "method": _("Which of the seven methods the partner portal names differently."),
    "path": _(
        "What the request URL has after the API address, up to the question mark. {account_number} is "
        "replaced with the customer's number. Empty for the default. Example: get-customer-balance"
    ),
    "body": _("How a PUT or POST sends its names. “form” is x-www-form-urlencoded. Empty for the default."),
    "date_format": format_lazy(
        _(
            "How dates are written: {default} makes 2026-11-25, {day_first} makes 25/11/2026. "
            "Empty for the default."
        ),
        default="%Y-%m-%d",
        day_first="%d/%m/%Y",
    ),
}
RESPONSE_CODES = _(
    "Add one line for each code of the list at the bottom right of the partner portal's Integrations/API "
    "tab. Type the code, or its exact message, and choose what it means. Leave out codes that fit no "
    "meaning. Customers then read a general text."
)
LOGIN_HOSTS = _(
    "Every host that “Go to my account” leads through, one a line: host or host:port. Customers are sent "
    "nowhere else. Mostly it is the host of the API address. Example: au.voipcloud.online"
)
# By method: how an operator can verify its names. The connection check reads only balances.
PROOFS = {
    "customer_balance": _(
        "To see that they work, type a customer's account number beside “Check the carrier connection” and "
        "press it."
    ),
    "partner_balance": _("To see that they work, press “Check the carrier connection”."),
    "move_funds": _("The check doesn't try them. To test them, make a small transfer to one customer."),
    "register_customer": _("The check doesn't try them. To test them, sign up on the brand's own pages."),
    "confirm_email": _("The check doesn't try them. To test them, sign up and confirm the email address."),
    "login_via_url": _("The check doesn't try them. To test them, use “Go to my account” as a customer."),
    "reset_password": _("The check doesn't try them. To test them, reset the password as a customer."),
}
HELP = {
    "name": _("As customers know the company. Example: Aurora Phone"),
    "slug": _("Short name for commands and logs: small letters, digits and hyphens. Example: aurora"),
    "accent": _("Your colour, for buttons and links. The portal keeps the text on it readable."),
    "language": _("For emails, and for customers whose browser doesn't ask for another language."),
    "timezone": _("Where a customer's day begins and ends. Example: Australia/Sydney"),
    "currency": _("The currency of your partner account. The carrier bills in one currency only."),
    "support_email": _("Shown wherever a customer may need help. Example: help@aurora.example"),
    "support_phone": _("Optional, as customers dial it. Example: +61 2 5550 0100"),
    "from_email": _(
        "The sender of sign-in codes. Your email server must be allowed to send for this domain. Example:"
        " Aurora Phone &lt;no-reply@aurora.example&gt;"
    ),
    "terms_url": _("Customers accept these terms when they sign up. Example: https://aurora.example/terms"),
    "privacy_url": _("Linked on each page. Example: https://aurora.example/privacy"),
    "signup_open": _("Whether new customers may sign up. Those you have can sign in either way."),
    "account_type": _(
        "How the carrier bills customers who sign up from now on. Leave it empty if they differ. "
        "It doesn't change the customers you have."
    ),
    "top_up_url": _(
        "Your own page where customers top up or pay. If empty, they are sent to their phone account. "
        "Example: https://aurora.example/top-up"
    ),
    "how_to_pay": _(
        "Optional, shown beside the button. Example: Pay by card or PayID. It takes up to an hour to arrive."
    ),
    "carrier_url": _(
        "The part that all request URLs in the partner portal share, up to the slash before the method's "
        "name. A new host demands the API key again. Example: https://au.voipcloud.online/api/integration/v2/"
    ),
    "recaptcha_kind": _("The kind of the site key. The carrier's support knows it."),
    "recaptcha_site_key": _(
        "Ask the carrier's support for it, and to add each of your hosts to the key's domains. "
        "A key made by Google begins with 6L and has 40 characters."
    ),
}
