"""Steps of visitors on the brands' hosts and in the admin, with requests as a browser sends them.

A step returns the newest response, whether it succeeded or not.
"""

import io
import re
from html import unescape

import requests
from pypdf import PdfReader

from tests.conftest import BOREALIS, Simulator, app_code
from tests.support.customer_flow import carrier_code, sign_up_form
from tests.support.live_stack import PASSWORD
from tests.support.nginx import Visitor, code_from

FOUND, SEE_OTHER = 302, 303


def pdf_text(data: bytes) -> str:
    """Return the text of a PDF."""
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]
    return re.sub(r"[ \u00a0]+", " ", "\n".join(pages))


def hidden(page: requests.Response) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    tags = re.findall(r'<input[^>]*type="hidden"[^>]*>', page.text)
    pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: unescape(value[1]) for name, value in pairs if name and value}


def captcha(visitor: Visitor, carrier: Simulator) -> dict[str, str]:
    """Return the captcha field of a form, solved on the visitor's host."""
    slug = visitor.host.partition(".")[0]
    return {"g-recaptcha-response": carrier.token(f"{slug}-site-key", hostname=visitor.host)}


def sign_in(visitor: Visitor, mailbox: Simulator, email: str) -> requests.Response:
    """Sign in by emailed code, with a captcha at the brand that verifies one; the mailbox is Google too."""
    solved = captcha(visitor, mailbox) if visitor.host == BOREALIS else {}
    answer = visitor.send("/sign-in/", {"email": email, **solved})
    if answer.status_code != FOUND:
        return answer
    return visitor.send("/sign-in/code/", {"code": code_from(mailbox, email)})


def sign_up(visitor: Visitor, carrier: Simulator, email: str) -> requests.Response:
    """Sign up as a new customer."""
    token = captcha(visitor, carrier)["g-recaptcha-response"]
    return visitor.send("/sign-up/", sign_up_form(token, email=email))


def confirm(visitor: Visitor, carrier: Simulator, email: str) -> requests.Response:
    """Confirm through the link in the carrier's email, after which our own code is sent."""
    code = carrier_code(carrier, email)
    visitor.open(f"/sign-up/confirm/?email={email}&code={code}")
    return visitor.send("/sign-up/confirm/", {"email": email, "code": code, **captcha(visitor, carrier)})


def reset_password(visitor: Visitor, carrier: Simulator, email: str) -> requests.Response:
    """Request a password reset of the carrier's portal."""
    return visitor.send("/password-reset/", {"email": email, **captcha(visitor, carrier)})


def open_account(visitor: Visitor, carrier: Simulator) -> requests.Response:
    """Press "Go to my account"."""
    return visitor.send("/account/open/", captcha(visitor, carrier))


def staff_sign_in(visitor: Visitor, email: str) -> requests.Response:
    """Sign in with password and code."""
    answer = visitor.send("/admin/login/", {"username": email, "password": PASSWORD, "next": "/admin/"})
    return visitor.send("/admin/login/code/", {"code": app_code()}) if answer.status_code == FOUND else answer


def begin_transfer(visitor: Visitor, customer: int, amount: str) -> tuple[dict[str, str], requests.Response]:
    """Fill in the pages before a transfer; return the fields to confirm (empty if refused) and the response.

    The description of the transfer is its operation.
    """
    path = f"/admin/billing/move/start/{customer}/"
    first = visitor.open(path)
    fields = hidden(first)
    if "operation" not in fields:
        return {}, first
    typed = {"direction": "to_customer", "amount": amount, "description": fields["operation"]}
    second = visitor.post(path, {**fields, **typed})
    confirmation = hidden(second)
    if "confirmation" not in confirmation:
        return {}, second
    return {**confirmation, "operation": fields["operation"]}, second


def confirm_transfer(visitor: Visitor, customer: int, fields: dict[str, str]) -> requests.Response:
    """Confirm the transfer."""
    return visitor.post(f"/admin/billing/move/confirm/{customer}/", fields)
