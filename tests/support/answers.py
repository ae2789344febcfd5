"""Parsing of carrier responses: the results, or the error they mean."""

import json

import pytest

from portal.voipline import UpstreamError
from portal.voipline.http_exchange import Reply
from portal.voipline.response import parse_response


def parse_answer(method, body, *, status=200, sent=None, codes=None, retry_after=""):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_response(method, codes or {}, Reply(status, raw, retry_after), sent or {})


def parse_error(method, body, **more):
    with pytest.raises(UpstreamError) as caught:
        parse_answer(method, body, **more)
    return caught.value
