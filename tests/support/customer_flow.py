"""Helpers of customer journey tests: form data, checked requests, emails, threads."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Barrier
from typing import Any, cast

from django.core import mail
from django.db import connections
from django.http import HttpResponse
from django.test import Client

from portal.core.money import WORD_JOINER
from tests.conftest import Simulator
from tests.support.emailed_code import PATTERN, find_code

PASSWORD = "battery staple canary"
DETAILS = {
    "first_name": "Dora",
    "last_name": "Deer",
    "company_name": "Deer & Sons",
    "email": "dora@example.com",
    "phone": "+61 2 5550 0199",
}
OUR_FIELD = {"google_captcha": "g-recaptcha-response"}


def sign_up_form(token: str, **changes: str) -> dict[str, str]:
    """Return the data of Dora's sign-up form."""
    return {**DETAILS, "password": PASSWORD, "accept_terms": "on", "g-recaptcha-response": token, **changes}


def send(client: Client, path: str, data: dict[str, str], **headers: str) -> HttpResponse:
    """POST a form and check that the response shows neither the captcha token nor the password."""
    response = cast(HttpResponse, client.post(path, data, headers=headers))
    for name in ("g-recaptcha-response", "password"):
        assert not data.get(name) or data[name] not in response.content.decode()
    return response


def words(response: HttpResponse) -> str:
    """Return the text of a page without markup."""
    return text_of(response.content.decode())


def text_of(markup: str) -> str:
    """Return the text of HTML without markup and invisible word joiners."""
    within_words = re.sub(r"</?strong>", "", markup)
    text = unescape(re.sub(r"<[^>]*>", " ", within_words)).replace(WORD_JOINER, "")
    return " ".join(text.split())


def value_of(response: HttpResponse, name: str) -> str | None:
    """Return the value of a field in the page's form."""
    for tag in re.findall(r"<input[^>]*>", response.content.decode()):
        if f'name="{name}"' in tag:
            found = re.search(r'value="([^"]*)"', tag)
            return unescape(found[1]) if found else None
    raise AssertionError(f"no field {name}")


def code_for(email: str) -> str:
    """Return the code in our newest email to an address that has one."""
    bodies = (str(each.body) for each in reversed(mail.outbox) if each.to == [email])
    return find_code(next(body for body in bodies if re.search(PATTERN, body, re.MULTILINE)))


def carrier_code(simulator: Simulator, email: str) -> str:
    """Return the confirmation code in the carrier's newest email."""
    text = simulator.mails(email)[-1]["text"]
    return str(re.search(r"code is (\w+)", text)[1])  # type: ignore[index]


def sign_in(client: Client, email: str) -> HttpResponse:
    """Request a code, read it in the email and enter it."""
    assert send(client, "/sign-in/", {"email": email}).status_code == 302
    return send(client, "/sign-in/code/", {"code": code_for(email)})


def twin(client: Client) -> Client:
    """Return a copy of the browser, for a concurrent request."""
    other = Client(**{k: v for k, v in client.defaults.items() if k.startswith("HTTP_")})
    other.cookies = type(client.cookies)(client.cookies.output(header="", sep=";"))
    for name, morsel in client.cookies.items():
        other.cookies[name] = morsel.value
    return other


def at_once(number: int, job: Callable[[int], Any]) -> list[Any]:
    """Run a job so many times concurrently, each with its own database connection."""
    barrier = Barrier(number)

    def run(nth: int) -> Any:
        barrier.wait()
        try:
            return job(nth)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))
