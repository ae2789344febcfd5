"""How the carrier bills a phone account."""

from django.utils.translation import gettext_lazy as _

PREPAID, POSTPAID = "prepaid", "postpaid"
ACCOUNT_TYPES = [(PREPAID, _("prepaid")), (POSTPAID, _("postpaid"))]
