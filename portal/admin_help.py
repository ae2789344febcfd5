"""What each field of a brand is, in an operator's words: where to find it, and an example."""

from django.utils.translation import gettext_lazy as _

HOST = _("The name customers type, without https:// and without a path. Example: portal.aurora.example")
LOGIN_HOSTS = _(
    "Every host that “Go to my account” leads through, one a line: host or host:port. Customers are sent "
    "nowhere else. Mostly it is the host of the API address. Example: au.voipcloud.online"
)
HELP = {
    "name": _("As customers know the company. Example: Aurora Phone"),
    "slug": _("Short name for commands and logs: small letters, digits and hyphens. Example: aurora"),
    "accent": _("Your colour, for buttons and links. The portal keeps the text on it readable."),
    "language": _("For customers whose browser does not ask for another one, and for mails."),
    "timezone": _("Where a customer's day begins and ends. Example: Australia/Sydney"),
    "currency": _("The currency of your partner account; the carrier bills in one alone."),
    "support_email": _("Shown wherever a customer may need help. Example: help@aurora.example"),
    "support_phone": _("Optional, as customers dial it. Example: +61 2 5550 0100"),
    "from_email": _(
        "The sender of sign-in codes; your mail server must be allowed to send for this domain. "
        "Example: Aurora Phone &lt;no-reply@aurora.example&gt;"
    ),
    "terms_url": _("Customers accept these terms when they sign up. Example: https://aurora.example/terms"),
    "privacy_url": _("Linked on each page. Example: https://aurora.example/privacy"),
    "signup_open": _("Whether new customers may sign up. Those you have can sign in either way."),
    "carrier_url": _(
        "The part that all request URLs in the partner portal share, up to the slash before the method's "
        "name. A new host demands the API key again. Example: https://au.voipcloud.online/api/integration/v2/"
    ),
    "recaptcha_kind": _("The kind of the site key; the carrier's support knows it."),
    "recaptcha_site_key": _(
        "Ask the carrier's support for it, and to add each of your hosts to the key's domains. "
        "It begins with 6L and has 40 characters."
    ),
}
