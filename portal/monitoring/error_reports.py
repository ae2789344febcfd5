"""What an error report may hold: it names the place of a fault, not the people."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

# Of what the server says about a request: the rest of META may hold a link's code, a cookie, an address.
_SAFE_META = {"REQUEST_METHOD", "PATH_INFO", "HTTP_HOST", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_PROTOCOL"}


class ScrubbedReportFilter(SafeExceptionReporterFilter):
    """Error reports name the place of a fault, not the people: no typed text, cookie or local variable."""

    def get_safe_request_meta(self, request: HttpRequest | None) -> dict[str, Any]:
        """All names; the values of those that say nothing about the visitor."""
        meta = request.META if request else {}
        return {**self._hidden(meta), **{name: meta[name] for name in _SAFE_META & set(meta)}}

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """The names of the fields."""
        return self._hidden(request.POST if request else ())

    def get_safe_cookies(self, request: HttpRequest | None) -> dict[str, Any]:
        """The names of the cookies; a fault outside of requests has none."""
        return self._hidden(request.COOKIES if request else ())

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: Any) -> Any:
        """The names of the variables."""
        return self._hidden(tb_frame.f_locals).items()

    def _hidden(self, names: Iterable[str]) -> dict[str, Any]:
        return dict.fromkeys(names, self.cleansed_substitute)


class DiscreetReporter(ExceptionReporter):
    """The same for what Django lets no filter touch: the query, the whole address, the user."""

    def get_traceback_data(self) -> dict[str, Any]:
        """What the templates of a report are filled with."""
        data: dict[str, Any] = super().get_traceback_data()
        if self.request is not None:
            data["request_GET_items"] = [(name, "…") for name in self.request.GET]
            data["request_insecure_uri"] = data["request_insecure_uri"].partition("?")[0]
            data["user_str"] = "hidden"
        return data
