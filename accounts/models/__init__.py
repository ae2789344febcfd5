"""Models of customers, staff and their sign-ins."""

from accounts.models.customer_import import CustomerImport
from accounts.models.sign_in import SignIn, SignInCode
from accounts.models.staff import MutedNotice, RecoveryCode, StaffEvent, TotpDevice
from accounts.models.submission import Submission
from accounts.models.user import User, with_email

__all__ = [
    "CustomerImport",
    "MutedNotice",
    "RecoveryCode",
    "SignIn",
    "SignInCode",
    "StaffEvent",
    "Submission",
    "TotpDevice",
    "User",
    "with_email",
]
