"""“Paste a URL from the partner portal”: look at what it says, then take the names."""

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

_TAKEN = ("path", "parameters", "constants")


class PasteMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """One more page for each brand. Nothing is saved before “Take these names”."""

    def get_urls(self) -> list[URLPattern]:
        """The page's address."""
        view = self.admin_site.admin_view(self.paste_view)
        return [path("<int:pk>/paste/", view, name="portal_brand_paste"), *super().get_urls()]

    @method_decorator(sensitive_post_parameters())
    def paste_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The empty form, what a URL says, or the brand's page once its names are taken."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        brand = get_object_or_404(Brand.objects.defer("logo"), pk=pk)
        if request.method == "POST" and "take" in request.POST:
            return self._take(request, brand)
        if request.method == "GET" and (typed := pop_form_data(request)):
            return self._again(request, brand, typed.fields)
        form = PasteForm(brand, request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._look(request, brand, form.proposal)
        return self._page(request, brand, form=_without_text(form))

    def _look(self, request: HttpRequest, brand: Brand, proposal: ParsedUrl) -> HttpResponse:
        applies = brand.method(proposal.method)
        take = TakeForm(
            applies,
            list(proposal.matches),
            initial={"method": proposal.method, "path": proposal.path},
        )
        names: Any = NamesFormSet(
            prefix="names",
            form_kwargs={"method": applies},
            initial=[_initial(match, proposal) for match in proposal.matches],
        )
        return self._page(request, brand, **_shown(applies, take, names, proposal.matches))

    def _take(self, request: HttpRequest, brand: Brand) -> HttpResponse:
        chosen = _chosen(brand, request.POST)
        if chosen is None:
            return redirect("admin:portal_brand_paste", brand.pk)
        applies, take, names, matches = chosen
        if names.is_valid() and take.is_valid():
            if not recently_authenticated(request):
                return keep_form_and_reauthenticate(request, request.path)
            if _stored(brand, take, names):
                self._tell(request, brand, applies)
                return redirect("admin:portal_brand_change", brand.pk)
        return self._page(request, brand, **_shown(applies, take, names, matches))

    def _again(self, request: HttpRequest, brand: Brand, typed: QueryDict) -> HttpResponse:
        """What was chosen before the proof; nothing of it is saved here."""
        chosen = _chosen(brand, typed)
        if chosen is None:
            return redirect("admin:portal_brand_paste", brand.pk)
        words = gettext("Nothing is saved yet. This is what you chose: look it over, and take it now.")
        self.message_user(request, words, messages.WARNING)
        return self._page(request, brand, **_shown(*chosen))

    def _tell(self, request: HttpRequest, brand: Brand, before: Method) -> None:
        after = brand.method(before.key)
        fields = [name for name in _TAKEN if getattr(before, name) != getattr(after, name)]
        if fields:
            changed = {"name": "method override", "object": before.key, "fields": fields}
            self.log_change(request, brand, [{"changed": changed}])
        words = gettext("The names for %(method)s are saved. %(proof)s")
        told = words % {"method": before.key, "proof": PROOFS[before.key]}
        self.message_user(request, told, messages.SUCCESS)

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
    """The same form and its errors without the URL, which may hold a key."""
    if form.is_bound:
        form.data = {**form.data.dict(), "text": ""}  # type: ignore[attr-defined]
    return form


def _initial(match: Match, proposal: ParsedUrl) -> dict[str, str]:
    ours = CONSTANT if match.how == "constant" else match.ours
    return {"name": match.name, "ours": ours, "value": proposal.plain.get(match.name, "")}


def _shown(applies: Method, take: TakeForm, names: NameFormSet, matches: Any) -> dict[str, Any]:
    rows = [
        {"form": form, "match": match, "now": applies.parameters.get(match.ours, "")}
        for form, match in zip(names.forms, matches, strict=False)
    ]
    return {"applies": applies, "take": take, "names": names, "rows": rows}


def _chosen(brand: Brand, data: QueryDict) -> tuple[Method, TakeForm, Any, list[Match]] | None:
    """What a method applies now, and the two forms as they were sent; None for a method that there is not."""
    key = data.get("method", "")
    if key not in METHODS:
        return None
    applies = brand.method(key)
    names: Any = NamesFormSet(data, prefix="names", form_kwargs={"method": applies})
    matches = match_names(applies, [form["name"].value() or "" for form in names.forms])
    return applies, TakeForm(applies, matches, data), names, matches


def _stored(brand: Brand, take: forms.Form, names: NameFormSet) -> bool:
    """Whether it could be stored; if not, the form says why."""
    chosen = take.cleaned_data
    try:
        save_override(
            brand=brand,
            method=chosen["method"],
            path=chosen["path"],
            names=names.names,
            dropped=chosen.get("dropped", ()),
            constants=names.constants,
        )
    except ValidationError as error:
        take.add_error(None, error.messages)
        return False
    return True
