"""A request larger than any form is refused before its body is read."""

from io import BytesIO

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from portal.middleware.body_size import LARGEST, body_size
from tests.support.gunicorn_server import run_gunicorn


class UnreadBody(BytesIO):
    """A body that must not be read."""

    def read(self, *_: object) -> bytes:
        raise AssertionError("it was read")

    readline = read


@pytest.mark.parametrize("length", ["", "0", str(LARGEST), "junk", "-1", "\u00b2"])
def test_any_other_length_is_accepted(length):
    request = RequestFactory().post("/")
    request.META["CONTENT_LENGTH"] = length
    assert body_size(lambda _: "the page")(request) == "the page"


@pytest.mark.parametrize("host", ["aurora.test", "admin.test", "unknown.test"])
def test_oversized_body_is_refused_on_any_host_before_reading(aurora, host):
    environ = RequestFactory(headers={"host": host}).post("/sign-in/").environ
    kind = "multipart/form-data; boundary=x"
    statuses = []
    length = str(LARGEST + 1)
    environ |= {"wsgi.input": UnreadBody(), "CONTENT_LENGTH": length, "CONTENT_TYPE": kind}
    page = get_wsgi_application()(environ, lambda status, _headers: statuses.append(status))
    assert statuses == ["413 Request Entity Too Large"]
    assert b"This is more than the portal takes (3 MB)." in b"".join(page)


def test_chunked_body_is_not_read():
    environ = RequestFactory().post("/sign-in/").environ
    environ |= {"wsgi.input": UnreadBody(), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    del environ["CONTENT_LENGTH"]
    request = WSGIRequest({**environ, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True})
    assert (dict(request.POST), dict(request.FILES)) == ({}, {})


def test_gunicorn_refuses_an_oversized_body_by_its_headers(tmp_path):
    head = b"POST /sign-in/ HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n"
    with run_gunicorn(tmp_path, WEB_CONCURRENCY="1") as portal:
        assert portal.raw(head + b"Content-Length: 400000000\r\n\r\n").startswith(b"HTTP/1.1 413 ")
