"""Require a recent reauthentication before admin pages write anything; see `reauthentication`."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from portal.admin.reauthentication import (
    SavedForm,
    keep_form_and_reauthenticate,
    pop_form_data,
    recently_authenticated,
)


class ReauthenticationNeeded(Exception):
    """Nothing was written, because the last reauthentication is older than five minutes."""


class ReauthenticationMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Require reauthentication for forms, deletions and actions of a model, and restore the form afterwards.

    A form is validated first, so that its errors are shown before the reauthentication. `secret_fields` are
    never saved. `plain_actions`: actions of the list that need no reauthentication.
    """

    secret_fields: tuple[str, ...] = ()
    plain_actions: tuple[str, ...] = ()

    def is_delicate(self, obj: Any, form: Any, change: bool) -> bool:
        """Return True if saving this form needs reauthentication. Models may override this."""
        return True

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show or process the form; after a reauthentication, show it with the saved data."""
        if request.method == "GET" and (saved_form := pop_form_data(request)):
            request.saved_form = saved_form  # type: ignore[attr-defined]
            self.message_user(request, _not_saved_message(saved_form), messages.WARNING)
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ReauthenticationNeeded:
            return keep_form_and_reauthenticate(request, request.get_full_path(), secrets=self.secret_fields)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Tell the user in advance that saving needs reauthentication, so that a key is not typed twice."""
        context["proof_wanted"] = not recently_authenticated(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form with the saved data. It is only shown, since the request is a GET."""
        form = super().get_form(request, obj, change=change, **kwargs)
        saved_form: SavedForm | None = getattr(request, "saved_form", None)
        return partial(form, saved_form.fields) if saved_form else form

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """Fill in the inlines with the saved data too."""
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        saved_form: SavedForm | None = getattr(request, "saved_form", None)
        return {**kwargs, "data": saved_form.fields} if saved_form else kwargs

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the object. Raise ReauthenticationNeeded. Nothing of the form is written before this."""
        if self.is_delicate(obj, form, change):
            _require_recent_authentication(request)
        super().save_model(request, obj, form, change)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Confirm or delete; a reauthentication returns to the confirmation page."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except ReauthenticationNeeded:
            return keep_form_and_reauthenticate(request, request.get_full_path())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the object. Raise ReauthenticationNeeded."""
        _require_recent_authentication(request)
        super().delete_model(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list; after a reauthentication, show the interrupted action to submit it again."""
        if request.method == "GET" and (saved_form := pop_form_data(request)):
            return self._submit_again(request, saved_form)
        try:
            return super().changelist_view(request, extra_context)
        except ReauthenticationNeeded:
            return keep_form_and_reauthenticate(request, request.get_full_path())

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """Run an action. Raise ReauthenticationNeeded unless it is one of `plain_actions`."""
        if not set(request.POST.getlist("action")) <= {"", *self.plain_actions}:
            _require_recent_authentication(request)
        return super().response_action(request, *args, **kwargs)

    def _submit_again(self, request: HttpRequest, saved_form: SavedForm) -> HttpResponse:
        choices = dict(self.get_action_choices(request))
        actions = [choices[name] for name in saved_form.fields.getlist("action") if name and name in choices]
        all_rows = saved_form.fields.get("select_across") == "1"
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Once more"),
            "opts": self.opts,
            "action": actions[0] if actions else "",
            "count": None if all_rows else len(saved_form.fields.getlist(ACTION_CHECKBOX_NAME)),
            "fields": [(name, value) for name, values in saved_form.fields.lists() for value in values],
        }
        return TemplateResponse(request, "admin/portal/submit_again.html", context)


def _require_recent_authentication(request: HttpRequest) -> None:
    if not recently_authenticated(request):
        raise ReauthenticationNeeded


def _not_saved_message(saved_form: SavedForm) -> str:
    words = gettext("Nothing is saved yet. This is what you typed: look it over, and save it now.")
    if not saved_form.left_out:
        return words
    again = gettext("We didn’t keep the key you typed or the file you chose. Enter it once more.")
    return f"{words} {again}"
