"""Normalise email addresses for storing, sending and comparing."""

import unicodedata

_MAX_LENGTH = 254


def normal_email(email: str) -> str:
    """Return an address as mail servers get it: no quotes, an ASCII domain in lower case. Empty if invalid.

    Also empty if the ASCII domain differs from the one that users see: `straße.de` becomes `strasse.de` (IDNA
    2003, as in Python and Django), and invisible characters are dropped.
    """
    local, _at, domain = email.rpartition("@")
    ascii_domain = _ascii_domain(domain)
    valid = local and ascii_domain and local.isascii() and '"' not in local
    return f"{local}@{ascii_domain}" if valid and len(f"{local}@{ascii_domain}") <= _MAX_LENGTH else ""


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    visible = unicodedata.normalize("NFKC", domain).lower().replace("\u3002", ".")
    try:
        encoded = domain.encode("idna").decode().lower()
        return encoded if _unicode_domain(encoded) == visible else ""
    except UnicodeError:
        return ""


def _unicode_domain(domain: str) -> str:
    return domain.encode().decode("idna")


def email_key(email: str) -> str:
    """Return a key that is equal for all spellings of an address. For other texts only case is ignored."""
    return (normal_email(email) or email).casefold()


_GMAIL_DOMAINS = {"gmail.com", "googlemail.com"}  # One mail service, which ignores dots.


def mailbox_key(email: str) -> str:
    """Return a key for the mailbox: `a+tag@b.example` counts as `a@b.example`, and at Gmail `a.b` as `ab`.

    For rate limits only: some mail servers treat these as different addresses. A text that is no address is
    its own key.
    """
    local, at, domain = email_key(email).rpartition("@")
    local = local.partition("+")[0]
    if domain in _GMAIL_DOMAINS:
        local, domain = local.replace(".", ""), "gmail.com"
    return local + at + domain


def email_spellings(email: str) -> tuple[str, ...]:
    """Return the spellings of an address in database rows, in lower case; old rows have a Unicode domain."""
    local, at, domain = (normal_email(email) or email).lower().rpartition("@")
    try:
        unicode_domain = _unicode_domain(domain)
    except UnicodeError:
        unicode_domain = domain
    return tuple(sorted({local + at + domain, local + at + unicode_domain}))
