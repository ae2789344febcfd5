"""Client for the carrier's API: seven methods as data and one function, `call`. It does not use Django."""

from portal.voipline.allowed_addresses import Reach
from portal.voipline.carrier import MEANINGS, Carrier, Timeouts
from portal.voipline.client import call
from portal.voipline.errors import (
    BadAnswer,
    BreakerOpen,
    CallSkipped,
    Crowded,
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
from portal.voipline.name_matching import (
    Match,
    guess_method,
    match_names,
    our_name,
    relative_path,
    with_placeholder,
)
from portal.voipline.results import Answer, Statement
from portal.voipline.secret import Secret
from portal.voipline.url_parsing import PastedUrl, plain_values, split_url

__all__ = [
    "MEANINGS",
    "METHODS",
    "Answer",
    "BadAnswer",
    "BreakerOpen",
    "CallSkipped",
    "Carrier",
    "Crowded",
    "MappingError",
    "Match",
    "Method",
    "NoAnswer",
    "NotAuthorised",
    "PastedUrl",
    "RateLimited",
    "Reach",
    "Rejected",
    "Secret",
    "ServerError",
    "Statement",
    "Timeouts",
    "Unreachable",
    "UpstreamError",
    "call",
    "customise",
    "guess_method",
    "is_account_number",
    "match_names",
    "our_name",
    "plain_values",
    "relative_path",
    "split_url",
    "with_placeholder",
]
