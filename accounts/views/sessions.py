"""What a visitor's session holds before the sign-in.

`browser`     a secret that binds codes to this browser
`sign_in`     the code that was asked for
`next`        the page that was wanted
`sign_up`     the form as it was typed
`registered`  the address that this browser signed up
`confirm`     what the confirmation form starts with
"""

import secrets

from portal.http import BrandRequest

_BEFORE_SIGN_IN = 24 * 3600  # Seconds that a visitor's session lasts; signing in begins another.


def browser_secret(request: BrandRequest) -> str:
    """The secret of this browser; made at the first call, which starts the session."""
    if "browser" not in request.session:
        request.session.set_expiry(_BEFORE_SIGN_IN)
        request.session["browser"] = secrets.token_urlsafe(32)
    return str(request.session["browser"])


def code_asked(request: BrandRequest, email: str, code: int | None, **more: object) -> None:
    """Note which code the next page is to ask for."""
    request.session["sign_in"] = {"code": code, "email": email, **more}


def known_email(request: BrandRequest) -> dict[str, str]:
    """The address this visitor last gave us, to begin a form with."""
    for key in ("sign_in", "confirm", "sign_up"):
        if email := request.session.get(key, {}).get("email"):
            return {"email": email}
    return {}
