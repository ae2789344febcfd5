"""Pages of the admin that write only after a recent proof of who is signed in; see `reauthentication`."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from portal.admin.reauthentication import (
    Typed,
    keep_form_and_reauthenticate,
    pop_form_data,
    recently_authenticated,
)


class ProofWanted(Exception):
    """Nothing was written: the proof of who is signed in is older than five minutes."""


class ProofMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Forms, deletions and actions of a model that want a recent proof; what was typed or ticked is kept.

    A form is judged first, so what is wrong with it is said before anybody has to prove anything.
    `secret_fields` are never kept. `plain_actions` names the actions of the list that want no proof.
    """

    secret_fields: tuple[str, ...] = ()
    plain_actions: tuple[str, ...] = ()

    def is_delicate(self, obj: Any, form: Any, change: bool) -> bool:
        """Whether saving this form wants a proof; every form does, unless a model says otherwise."""
        return True

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form; after a proof with what was typed before it."""
        if request.method == "GET" and (typed := pop_form_data(request)):
            request.typed_before = typed  # type: ignore[attr-defined]
            self.message_user(request, _not_saved(typed), messages.WARNING)
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ProofWanted:
            return keep_form_and_reauthenticate(request, request.get_full_path(), secrets=self.secret_fields)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """With a word of what saving will ask for, so that nobody types a key twice."""
        context["proof_wanted"] = not recently_authenticated(request)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Filled in with what was typed before the proof. That is shown, not saved: the request is a GET."""
        form = super().get_form(request, obj, change=change, **kwargs)
        typed: Typed | None = getattr(request, "typed_before", None)
        return partial(form, typed.fields) if typed else form

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """The lines below the form too."""
        found: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        typed: Typed | None = getattr(request, "typed_before", None)
        return {**found, "data": typed.fields} if typed else found

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The first that is written of a form. Raises ProofWanted."""
        if self.is_delicate(obj, form, change):
            _want_proof(request)
        super().save_model(request, obj, form, change)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Back on the page that asks whether to delete."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except ProofWanted:
            return keep_form_and_reauthenticate(request, request.get_full_path())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Raises ProofWanted."""
        _want_proof(request)
        super().delete_model(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list; after a proof, the action that was stopped, for one more click."""
        if request.method == "GET" and (typed := pop_form_data(request)):
            return self._once_more(request, typed)
        try:
            return super().changelist_view(request, extra_context)
        except ProofWanted:
            return keep_form_and_reauthenticate(request, request.get_full_path())

    def response_action(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """Raises ProofWanted before an action that is not plain."""
        if not set(request.POST.getlist("action")) <= {"", *self.plain_actions}:
            _want_proof(request)
        return super().response_action(request, *args, **kwargs)

    def _once_more(self, request: HttpRequest, typed: Typed) -> HttpResponse:
        known = dict(self.get_action_choices(request))
        chosen = [known[name] for name in typed.fields.getlist("action") if name and name in known]
        across = typed.fields.get("select_across") == "1"
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Once more"),
            "opts": self.opts,
            "action": chosen[0] if chosen else "",
            "count": None if across else len(typed.fields.getlist(ACTION_CHECKBOX_NAME)),
            "fields": [(name, value) for name, values in typed.fields.lists() for value in values],
        }
        return TemplateResponse(request, "admin/portal/submit_again.html", context)


def _want_proof(request: HttpRequest) -> None:
    if not recently_authenticated(request):
        raise ProofWanted


def _not_saved(typed: Typed) -> str:
    words = gettext("Nothing is saved yet. This is what you typed: look it over, and save it now.")
    if not typed.left_out:
        return words
    again = gettext("We didn’t keep the key you typed or the file you chose. Enter it once more.")
    return f"{words} {again}"
