"""Keep personal data out of Django's error reports: they show where an error happened, not to whom."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

# The rest of META may contain a code from a link, a cookie or an address.
_SAFE_META = {"REQUEST_METHOD", "PATH_INFO", "HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_PROTOCOL"}


class ScrubbedReportFilter(SafeExceptionReporterFilter):
    """Hide form input, cookies and local variables in error reports. Only their names are shown."""

    def get_safe_request_meta(self, request: HttpRequest | None) -> dict[str, Any]:
        """Return all names, but only the values that say nothing about the visitor."""
        meta = request.META if request else {}
        return {**self._hidden(meta), **{name: meta[name] for name in _SAFE_META & set(meta)}}

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return self._hidden(request.POST if request else ())

    def get_safe_cookies(self, request: HttpRequest | None) -> dict[str, Any]:
        return self._hidden(request.COOKIES if request else ())

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> Any:
        return self._hidden(tb_frame.f_locals).items()

    def _hidden(self, names: Iterable[str]) -> dict[str, Any]:
        return dict.fromkeys(names, self.cleansed_substitute)


class ScrubbedReporter(ExceptionReporter):
    """Hide what Django's filter cannot: the query string, the full URL and the user."""

    def get_traceback_data(self) -> dict[str, Any]:
        data: dict[str, Any] = super().get_traceback_data()
        if self.request is not None:
            data["request_GET_items"] = [(name, "…") for name in self.request.GET]
            data["request_insecure_uri"] = data["request_insecure_uri"].partition("?")[0]
            data["user_str"] = "hidden"
        return data
