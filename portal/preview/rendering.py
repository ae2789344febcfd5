"""One visit to a preview: which sample stands at an address, and how it is drawn."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import AnonymousUser
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import (
    Resolver404,
    get_script_prefix,
    get_urlconf,
    resolve,
    reverse,
    set_script_prefix,
    set_urlconf,
)
from django.utils import timezone, translation

from portal.brands import views
from portal.models import Brand
from portal.preview import sample_pages
from portal.preview.sample_pages import SCENARIOS, Sample
from portal.web import error_views

AUTO = "auto"
SCHEMES = (AUTO, "light", "dark")
_URLS = "portal.urls.brand"
_SHEET = "portal.css"
_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")


def in_scheme(css: str, scheme: str) -> str:
    """The sheet as somebody with this colour scheme sees it; `auto` changes nothing."""
    if scheme == AUTO:
        return css
    always, never = "(min-width: 0)", "(max-width: -1px)"
    css = _QUERY.sub(lambda query: always if query[1] == scheme else never, css)
    return css.replace("color-scheme: light dark", f"color-scheme: {scheme}")


def offered() -> list[tuple[str, str]]:
    """(path below the scheme, label) of every page to choose from."""
    pages = [(_path(page.mood, page.name), str(page.label)) for page in sample_pages.listed()]
    return [*pages, (f"{SCENARIOS[0]}/no-such-page/", translation.gettext("Page not found"))]


def _path(mood: str, name: str) -> str:
    return f"{mood}{reverse(name, urlconf=_URLS)}"


@contextmanager
def _url_prefix(prefix: str) -> Iterator[None]:
    """Addresses are the brand's, below the prefix."""
    before = get_script_prefix(), get_urlconf()
    set_script_prefix(prefix)
    set_urlconf(_URLS)
    try:
        yield
    finally:
        set_script_prefix(before[0])
        set_urlconf(before[1])


@dataclass(frozen=True)
class PreviewRequest:
    """Somebody looks at a brand's preview in a scheme, in a mood (see `portal.preview.sample_pages`)."""

    brand: Brand
    token: str
    scheme: str
    mood: str

    def at(self, path: str, scheme: str = "") -> str:
        """The address of a path of `offered`."""
        return f"/preview/{self.token}/{scheme or self.scheme}/{path}"

    @property
    def prefix(self) -> str:
        """Where the brand's own addresses begin."""
        return self.at(f"{self.mood}/")

    def after(self, rest: str) -> str:
        """The page that sending the form of a page leads to: the next one of the journey, or the first."""
        sample = sample_pages.find(mood=self.mood, name=_name(rest))
        return self.at(_path(*sample.after) if sample and sample.after else f"{SCENARIOS[0]}/")

    def answer(self, rest: str, *, host: str) -> HttpResponse:
        """What stands at the address. Raises Http404 for a logo where there is none."""
        if rest == _SHEET:
            return self._sheet(Path(str(finders.find(f"css/{_SHEET}"))).read_text())
        name = _name(rest)
        if name == "brand_css":
            return self._sheet(views.brand_css(self.brand))
        if name == "brand_logo":
            return self._logo()
        sample = sample_pages.find(mood=self.mood, name=name)
        if name and not sample:  # A real page that has no sample, such as the download.
            return HttpResponseRedirect(self.prefix)
        return self._page(sample, rest, host)

    def _sheet(self, css: str) -> HttpResponse:
        return HttpResponse(in_scheme(css, self.scheme), content_type="text/css; charset=utf-8")

    def _logo(self) -> HttpResponse:
        if not self.brand.logo_hash:
            raise Http404
        return HttpResponse(bytes(self.brand.logo), content_type=self.brand.logo_type)

    def _page(self, sample: Sample | None, rest: str, host: str) -> HttpResponse:
        brand = self.brand
        with translation.override(brand.language), timezone.override(brand.zone):
            request = self._request(rest, host)
            with _url_prefix(self.prefix):
                if sample:
                    response = render(request, sample.template_for(brand), sample.context(brand, self.mood))
                else:
                    response = error_views.not_found(request, Http404())
            return HttpResponse(response.content)  # 200 for the sample of a 404 too.

    def _request(self, rest: str, host: str) -> HttpRequest:
        """A request of nobody's browser, as our middleware would leave it; the real one stays untouched."""
        request = HttpRequest()
        request.method = "GET"
        request.path = request.path_info = self.prefix + rest
        request.META = {"HTTP_HOST": host}
        user = sample_pages.person(brand=self.brand, mood=self.mood) or AnonymousUser()
        vars(request).update(brand=self.brand, user=user, session={}, csp_nonce="", reference="")
        vars(request)["preview"] = {
            "start": self.prefix,
            "sheet": self.prefix + _SHEET,
            "color_scheme": "" if self.scheme == AUTO else self.scheme,
            "pages": [(self.at(path), label) for path, label in offered()],
        }
        return request


def _name(rest: str) -> str:
    """The name of a brand's address; empty where there is none."""
    try:
        return resolve(f"/{rest}", urlconf=_URLS).view_name
    except Resolver404:
        return ""
