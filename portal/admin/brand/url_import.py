"""Admin page “Paste a URL from the partner portal”: review the names in it, then save them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters

from portal.admin.brand.help_texts import PROOFS
from portal.admin.brand.url_import_forms import CONSTANT, NameFormSet, NamesFormSet, PasteForm, TakeForm
from portal.admin.reauthentication import keep_form_and_reauthenticate, pop_form_data, recently_authenticated
from portal.carrier.url_import import ParsedUrl, save_override
from portal.models import Brand
from portal.voipline import METHODS, Match, Method, match_names

_SAVED_FIELDS = ("path", "parameters", "constants")


class PasteMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Add the page to each brand. Nothing is saved before “Take these names”."""

    def get_urls(self) -> list[URLPattern]:
        """Add the URL of the page."""
        view = self.admin_site.admin_view(self.paste_view)
        return [path("<int:pk>/paste/", view, name="portal_brand_paste"), *super().get_urls()]

    @method_decorator(sensitive_post_parameters())
    def paste_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the empty form or the names in a URL, or save them and redirect to the brand's page."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        brand = get_object_or_404(Brand.objects.defer("logo"), pk=pk)
        if request.method == "POST" and "take" in request.POST:
            return self._save(request, brand)
        if request.method == "GET" and (saved_form := pop_form_data(request)):
            return self._review_again(request, brand, saved_form.fields)
        form = PasteForm(brand, request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._review(request, brand, form.parsed)
        return self._page(request, brand, form=_without_text(form))

    def _review(self, request: HttpRequest, brand: Brand, parsed: ParsedUrl) -> HttpResponse:
        method = brand.method(parsed.method)
        take = TakeForm(
            method,
            list(parsed.matches),
            initial={"method": parsed.method, "path": parsed.path},
        )
        names: Any = NamesFormSet(
            prefix="names",
            form_kwargs={"method": method},
            initial=[_initial(match, parsed) for match in parsed.matches],
        )
        return self._page(request, brand, **_review_context(method, take, names, parsed.matches))

    def _save(self, request: HttpRequest, brand: Brand) -> HttpResponse:
        choice = _load_choice(brand, request.POST)
        if choice is None:
            return redirect("admin:portal_brand_paste", brand.pk)
        method, take, names, matches = choice
        if names.is_valid() and take.is_valid():
            if not recently_authenticated(request):
                return keep_form_and_reauthenticate(request, request.path)
            if _save_choice(brand, take, names):
                self._report_saved(request, brand, method)
                return redirect("admin:portal_brand_change", brand.pk)
        return self._page(request, brand, **_review_context(method, take, names, matches))

    def _review_again(self, request: HttpRequest, brand: Brand, data: QueryDict) -> HttpResponse:
        """Show the choice made before the reauthentication. Saves nothing."""
        choice = _load_choice(brand, data)
        if choice is None:
            return redirect("admin:portal_brand_paste", brand.pk)
        words = gettext("Nothing is saved yet. This is what you chose: look it over, and take it now.")
        self.message_user(request, words, messages.WARNING)
        return self._page(request, brand, **_review_context(*choice))

    def _report_saved(self, request: HttpRequest, brand: Brand, before: Method) -> None:
        after = brand.method(before.key)
        fields = [name for name in _SAVED_FIELDS if getattr(before, name) != getattr(after, name)]
        if fields:
            changed = {"name": "method override", "object": before.key, "fields": fields}
            self.log_change(request, brand, [{"changed": changed}])
        words = gettext("The names for %(method)s are saved. %(proof)s")
        message = words % {"method": before.key, "proof": PROOFS[before.key]}
        self.message_user(request, message, messages.SUCCESS)

    def _page(self, request: HttpRequest, brand: Brand, **context: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Paste a URL from the partner portal"),
            "subtitle": str(brand),
            "opts": self.opts,
            "brand": brand,
            "form": None,
            "take": None,
            **context,
        }
        return TemplateResponse(request, "admin/portal/brand/url_import.html", context)


def _without_text(form: PasteForm) -> PasteForm:
    """Return the form with its errors but without the URL, which may contain a key."""
    if form.is_bound:
        form.data = {**form.data.dict(), "text": ""}  # type: ignore[attr-defined]
    return form


def _initial(match: Match, parsed: ParsedUrl) -> dict[str, str]:
    ours = CONSTANT if match.how == "constant" else match.ours
    return {"name": match.name, "ours": ours, "value": parsed.plain.get(match.name, "")}


def _review_context(method: Method, take: TakeForm, names: NameFormSet, matches: Any) -> dict[str, Any]:
    rows = [
        {"form": form, "match": match, "now": method.parameters.get(match.ours, "")}
        for form, match in zip(names.forms, matches, strict=False)
    ]
    return {"applies": method, "take": take, "names": names, "rows": rows}


def _load_choice(brand: Brand, data: QueryDict) -> tuple[Method, TakeForm, Any, list[Match]] | None:
    """Return the current method, the submitted forms and the matches; None for an unknown method."""
    key = data.get("method", "")
    if key not in METHODS:
        return None
    method = brand.method(key)
    names: Any = NamesFormSet(data, prefix="names", form_kwargs={"method": method})
    matches = match_names(method, [form["name"].value() or "" for form in names.forms])
    return method, TakeForm(method, matches, data), names, matches


def _save_choice(brand: Brand, take: forms.Form, names: NameFormSet) -> bool:
    """Save the names. Return False on an error, which is then added to the form."""
    choice = take.cleaned_data
    try:
        save_override(
            brand=brand,
            method=choice["method"],
            path=choice["path"],
            names=names.names,
            dropped=choice.get("dropped", ()),
            constants=names.constants,
        )
    except ValidationError as error:
        take.add_error(None, error.messages)
        return False
    return True
