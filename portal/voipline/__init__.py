"""The carrier's client: seven methods as data, one `call`. No Django in here."""

from portal.voipline.carrier import MEANINGS, Carrier, Timeouts
from portal.voipline.client import call
from portal.voipline.errors import (
    BadAnswer,
    NoAnswer,
    NotAuthorised,
    RateLimited,
    Rejected,
    ServerError,
    Unreachable,
    UpstreamError,
)
from portal.voipline.mapping import MappingError, customise
from portal.voipline.methods import METHODS, Method, is_account_number
from portal.voipline.pasted import PastedUrl, split_url
from portal.voipline.results import Answer, Statement
from portal.voipline.secret import Secret

__all__ = [
    "MEANINGS",
    "METHODS",
    "Answer",
    "BadAnswer",
    "Carrier",
    "MappingError",
    "Method",
    "NoAnswer",
    "NotAuthorised",
    "PastedUrl",
    "RateLimited",
    "Rejected",
    "Secret",
    "ServerError",
    "Statement",
    "Timeouts",
    "Unreachable",
    "UpstreamError",
    "call",
    "customise",
    "is_account_number",
    "split_url",
]
