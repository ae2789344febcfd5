"""What an error report may hold: it names the place of a fault, not the people."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class DiscreetReports(SafeExceptionReporterFilter):
    """Error reports name the place of a fault, not the people: no typed text, cookie or local variable."""

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
