"""Email addresses: the form in which they are stored, sent and compared."""

import unicodedata

_LONGEST_EMAIL = 254


def normal_email(email: str) -> str:
    """An address as mail servers get it: no quotes, the domain in ASCII and lower case; else empty.

    Empty also where that form would be another domain than the one that is read: `straße.de` is mailed as
    `strasse.de` (IDNA 2003, as Python and Django have it), and what cannot be seen is left out on the way.
    """
    local, _at, domain = email.rpartition("@")
    wire = _wire(domain)
    good = local and wire and local.isascii() and '"' not in local
    return f"{local}@{wire}" if good and len(f"{local}@{wire}") <= _LONGEST_EMAIL else ""


def _wire(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    wide = unicodedata.normalize("NFKC", domain).lower().replace("\u3002", ".")
    try:
        wire = domain.encode("idna").decode().lower()
        return wire if _read(wire) == wide else ""
    except UnicodeError:
        return ""


def _read(wire: str) -> str:
    return wire.encode().decode("idna")


def email_key(email: str) -> str:
    """What all spellings of one mailbox have in common; other texts are told apart by letters alone."""
    return (normal_email(email) or email).casefold()


_ONE_AT_GOOGLE = {"gmail.com", "googlemail.com"}  # One mail service, which takes no notice of dots.


def mailbox_key(email: str) -> str:
    """What limits count as one mailbox: `a+tag@b.example` is `a@b.example`, and at Gmail `a.b` is `ab`.

    For limits alone. Elsewhere these are different addresses, because at some mail servers they are. What
    is no address is its own key.
    """
    local, at, domain = email_key(email).rpartition("@")
    local = local.partition("+")[0]
    if domain in _ONE_AT_GOOGLE:
        local, domain = local.replace(".", ""), "gmail.com"
    return local + at + domain


def email_spellings(email: str) -> tuple[str, ...]:
    """How rows may hold an address, in lower case; those from before have letters in the domain."""
    local, at, domain = (normal_email(email) or email).lower().rpartition("@")
    try:
        read = _read(domain)
    except UnicodeError:
        read = domain
    return tuple(sorted({local + at + domain, local + at + read}))
