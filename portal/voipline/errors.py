"""Errors of a call to the carrier: one class for each decision that the caller takes.

    UpstreamError       .method .status .message .user_message .may_have_happened
    ├─ Unreachable      no byte of the request left: name, connection or TLS handshake failed
    │  └─ CallSkipped   not tried, by our own decision; .retry_after in seconds
    │     ├─ Crowded        too many calls are waiting already
    │     └─ BreakerOpen    the last calls failed
    ├─ NoAnswer         sent, then a timeout or a reset                     a write may have happened
    ├─ NotAuthorised    401, 403: the key is wrong, or our IP address is not listed
    ├─ RateLimited      429; .retry_after in seconds
    ├─ Rejected         any other 4xx or a mapped code; .fields, .meaning: nothing happened
    ├─ ServerError      408, 5xx                                            a write may have happened
    └─ BadAnswer        3xx, not JSON, empty, cut short, too big, a field missing or of the wrong type,
                        an unlisted code                                    a write may have happened

The class follows the effective code: the HTTP status or, under HTTP 2xx, the body's `code`. Only a few codes,
and only in JSON, count as a refusal of a move of funds; any other refusal is a BadAnswer, since the move may
have happened.
"""

from collections.abc import Mapping, Sequence


class UpstreamError(Exception):
    """A call to the carrier did not succeed.

    `method` is the method's key, `status` the effective code if there was one. `message` is for logs and
    operators; it never contains a parameter, the key or a URL. `user_message` is the carrier's own text, only
    on `Rejected`. `may_have_happened` is True if a PUT or POST may have taken effect despite the error.
    `not_json` is True if an answer came that is not JSON. `listed_as`: the body's own code, as an operator
    would list it.
    """

    uncertain = False
    not_json = False
    listed_as = ""

    def __init__(
        self,
        method: str,
        status: int | None = None,
        message: str = "",
        user_message: str = "",
        may_have_happened: bool = False,
    ) -> None:
        super().__init__(message)
        self.method = method
        self.status = status
        self.message = message
        self.user_message = user_message
        self.may_have_happened = may_have_happened


class Unreachable(UpstreamError):
    """No byte of the request can have left (known from the connection's state, not the exception's class)."""


class CallSkipped(Unreachable):
    """The call was not tried. `retry_after`: seconds after which it is worth trying."""

    def __init__(self, method: str, message: str, *, retry_after: int) -> None:
        super().__init__(method, None, f"{method}: {message}")
        self.retry_after = retry_after


class Crowded(CallSkipped):
    """Too many calls are waiting for the carrier already."""


class BreakerOpen(CallSkipped):
    """The last calls to the carrier failed, so no more are made for a while."""


class NoAnswer(UpstreamError):
    """The request was sent, fully or in part, and no answer came back in time or in one piece."""

    uncertain = True


class NotAuthorised(UpstreamError):
    """The carrier refused us: the API key is wrong, or the server's public IP address is not listed."""


class RateLimited(UpstreamError):
    """Too many requests. `retry_after`: seconds to wait (RFC 9110, section 10.2.3), None if not stated."""

    def __init__(
        self,
        method: str,
        status: int | None = None,
        message: str = "",
        user_message: str = "",
        may_have_happened: bool = False,
        *,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(method, status, message, user_message, may_have_happened)
        self.retry_after = retry_after


class Rejected(UpstreamError):
    """The carrier refused the data.

    `fields`: our parameter name → the carrier's texts about it. `meaning`: one of MEANINGS if the operator
    mapped the code or the message, else "". `user_message`: the text that belongs to no field of ours.
    """

    def __init__(
        self,
        method: str,
        status: int | None = None,
        message: str = "",
        user_message: str = "",
        may_have_happened: bool = False,
        *,
        fields: Mapping[str, Sequence[str]] | None = None,
        meaning: str = "",
    ) -> None:
        super().__init__(method, status, message, user_message, may_have_happened)
        self.fields: dict[str, list[str]] = {name: list(texts) for name, texts in (fields or {}).items()}
        self.meaning = meaning


class ServerError(UpstreamError):
    """The carrier, or a proxy in front of it, failed."""

    uncertain = True


class BadAnswer(UpstreamError):
    """The carrier answered, but not in the agreed shape."""

    uncertain = True
