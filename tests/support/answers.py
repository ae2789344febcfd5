"""An answer of the carrier, judged: its results, or the error it means."""

import json

import pytest

from portal.voipline import UpstreamError
from portal.voipline.http_exchange import Reply
from portal.voipline.response import parse_response


def answer_of(method, body, *, status=200, sent=None, codes=None, retry_after=""):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_response(method, codes or {}, Reply(status, raw, retry_after), sent or {})


def error_of(method, body, **more):
    with pytest.raises(UpstreamError) as caught:
        answer_of(method, body, **more)
    return caught.value
