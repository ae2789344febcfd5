"""List what is missing before a brand can go live. All items are computed; none is ticked by hand."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any, Literal
from urllib.parse import urlsplit

from django.db.models import QuerySet
from django.utils.translation import gettext

from portal.carrier.connection_proof import is_connection_verified
from portal.core.hosts import is_loopback
from portal.core.validators import GOOGLE_TEST_KEY
from portal.models import Brand
from portal.security.crypto import SecretUnreadable

State = Literal["ok", "missing", "hint"]


@dataclass(frozen=True)
class Item:
    """One line of the checklist.

    "missing": something will not work. "hint": worth a look. `todo`: the next step, or "" if there is none.
    `anchor`: what the step begins with on the brand's page: a section, field or button.
    """

    key: str
    state: State
    text: str
    todo: str
    anchor: str


Check = Callable[[Brand], Iterator[Item]]
_extra_checks: list[Check] = []
_annotations: dict[str, Any] = {}


def add_check(check: Check, **annotations: Any) -> None:
    """Add a check of another app. `with_checklist` adds its `annotations` to the query of brands."""
    _extra_checks.append(check)
    _annotations.update(annotations)


def with_checklist(brands: QuerySet[Brand]) -> QuerySet[Brand]:
    """Return the brands with everything that the checks read, in a fixed number of queries."""
    return brands.annotate(**_annotations).prefetch_related("hosts", "response_codes")


def get_checklist(brand: Brand, without_dns: Sequence[str] = ()) -> list[Item]:
    """Return the whole checklist, in the order of the brand's page.

    The brand comes from `with_checklist`. `without_dns`: hosts for which the caller found no DNS entry.
    """
    items = [item for check in (*_CHECKS, *_extra_checks) for item in check(brand)]
    return [*items[:1], *_dns(without_dns), *items[1:]]


def count_missing_of(brand: Brand) -> int:
    """Return the number of missing items of a brand; 0 is ready. Runs no queries, for lists of brands."""
    return count_missing(
        [item for check in (*_CHECKS, *_extra_checks) if check is not _customer for item in check(brand)]
    )


def count_missing(items: Sequence[Item]) -> int:
    """Return the number of missing items in a checklist."""
    return sum(item.state == "missing" for item in items)


def _hosts(brand: Brand) -> Iterator[Item]:
    if brand.hosts.all():
        yield Item("hosts", "ok", gettext("The brand has a host name."), "", "hosts")
    else:
        yield Item(
            "hosts",
            "missing",
            gettext("The brand has no host, so no one can reach it."),
            gettext("Add the host name customers will type."),
            "hosts",
        )


def _dns(without_dns: Sequence[str]) -> Iterator[Item]:
    for host in without_dns:
        yield Item(
            "dns",
            "hint",
            gettext("%(host)s has no DNS entry that this server can see.") % {"host": host},
            gettext(
                "At your domain's provider, point it at this server. A new entry can take hours to show."
            ),
            "hosts",
        )


def _terms(brand: Brand) -> Iterator[Item]:
    if brand.terms_url and brand.privacy_url:
        yield Item("terms", "ok", gettext("Terms of service and privacy policy are linked."), "", "contact")
        return
    yield Item(
        "terms",
        "missing" if brand.signup_open else "hint",
        gettext("Sign-up is open, but the terms of service or the privacy policy isn't linked.")
        if brand.signup_open
        else gettext("The terms of service or the privacy policy isn't linked."),
        gettext("Type both addresses, or close the sign-up until you have them."),
        "contact",
    )


def _sender(brand: Brand) -> Iterator[Item]:
    domain = parseaddr(brand.from_email)[1].rpartition("@")[2].lower()
    hosts = [host.host for host in brand.hosts.all()]
    if hosts and not any(_related(domain, host) for host in hosts):
        words = gettext("Emails come from %(domain)s, which isn't the domain of any host.")
        yield Item(
            "sender",
            "hint",
            words % {"domain": domain},
            gettext("Customers trust email from the domain they know, and so do spam filters."),
            "contact",
        )


def _related(domain: str, host: str) -> bool:
    """Return True for the same domain, a subdomain, or two subdomains of one domain of two or more parts."""
    if domain == host or host.endswith(f".{domain}") or domain.endswith(f".{host}"):
        return True
    parent = host.partition(".")[2]
    return "." in parent and domain.endswith(f".{parent}")


def _mail(brand: Brand) -> Iterator[Item]:
    if brand.mail_tested_at:
        yield Item("mail", "ok", gettext("A test email has been sent."), "", "test_mail_to")
        return
    yield Item(
        "mail",
        "missing",
        gettext("No test email has been sent. Customers sign in with a code they get by email."),
        gettext("Send yourself a test email. Check that it arrives, and not in the spam folder."),
        "test_mail_to",
    )


def _carrier(brand: Brand) -> Iterator[Item]:
    if problem := _key_problem(brand):
        yield Item(
            "carrier",
            "missing",
            problem,
            gettext("Type the API key again. The partner portal shows it."),
            "carrier",
        )
    elif is_connection_verified(brand):
        words = gettext("The carrier has answered with this address and key.")
        yield Item("carrier", "ok", words, "", "carrier")
    else:
        yield Item(
            "carrier",
            "missing",
            gettext("The carrier has not yet answered with this address and key."),
            gettext(
                "List this server's public IP address in the partner portal, then press "
                "“Check the carrier connection”."
            ),
            "check",
        )


def _customer(brand: Brand) -> Iterator[Item]:
    if not brand.calls.filter(method="customer_balance", outcome="ok").exists():
        yield Item(
            "customer",
            "hint",
            gettext(
                "No customer's balance was read in the last 30 days, so nothing proves the names for "
                "customer_balance."
            ),
            gettext("Check the carrier connection with a customer's account number."),
            "check_account_number",
        )


def _key_problem(brand: Brand) -> str:
    try:
        return "" if brand.reveal("carrier_key") else gettext("The API key is missing.")
    except SecretUnreadable:
        return gettext("We can't read the stored API key.")


def _stand_in(brand: Brand) -> Iterator[Item]:
    if is_loopback(urlsplit(brand.carrier_url).hostname or ""):
        yield Item(
            "stand_in",
            "hint",
            gettext("The API address is on this machine: that is a stand-in, right for trying things out."),
            gettext("For real customers, type the API address that the partner portal shows."),
            "carrier",
        )


def _login_hosts(brand: Brand) -> Iterator[Item]:
    if brand.login_hosts:
        words = gettext("“Go to my account” knows where it may lead.")
        yield Item("login_hosts", "ok", words, "", "carrier")
        return
    yield Item(
        "login_hosts",
        "missing",
        gettext("No login host is listed, so “Go to my account” leads nowhere."),
        gettext("List each host that the carrier's own sign-in leads through."),
        "carrier",
    )


def _captcha(brand: Brand) -> Iterator[Item]:
    if not brand.recaptcha_site_key:
        words = gettext(
            "The captcha has no site key, so no one can create an account or open their phone account."
        )
    elif brand.recaptcha_site_key.startswith(GOOGLE_TEST_KEY):
        words = gettext("This is Google's public test key: every robot passes it.")
    else:
        yield Item("captcha", "ok", gettext("The captcha has a site key."), "", "captcha")
        return
    todo = gettext("Ask the carrier for the site key and to add your hosts to its domains.")
    yield Item("captcha", "missing", words, todo, "captcha")


def _codes(brand: Brand) -> Iterator[Item]:
    if not brand.response_codes.all():
        yield Item(
            "codes",
            "hint",
            gettext("No response code is explained, so customers read general words when something fails."),
            gettext("Copy those that fit a meaning from the partner portal's Integrations/API tab."),
            "methods",
        )


_CHECKS: tuple[Check, ...] = (
    _hosts,
    _terms,
    _sender,
    _mail,
    _carrier,
    _customer,
    _stand_in,
    _login_hosts,
    _captcha,
    _codes,
)
