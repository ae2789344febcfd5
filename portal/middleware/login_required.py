"""Django's redirect to the sign-in page, which also says when a form was not saved."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import middleware
from django.http import HttpRequest, HttpResponseBase


class LoginRequiredMiddleware(middleware.LoginRequiredMiddleware):
    """On a brand's host, add `why=sent` to the redirect of a form whose session had ended."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Redirect a visitor to the sign-in page."""
        response = super().process_view(request, view_func, view_args, view_kwargs)
        if response and request.method == "POST" and request.brand:  # type: ignore[attr-defined]
            response["Location"] += "&why=sent"  # After `next`.
        return response
