"""Find the sample page for a URL of a preview, and render it."""

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

from portal.brands import icon, views
from portal.models import Brand
from portal.preview import sample_pages
from portal.preview.sample_pages import SCENARIOS, Sample
from portal.web import error_views

AUTO = "auto"
SCHEMES = (AUTO, "light", "dark")
_URLS = "portal.urls.brand"
_SHEET, _OTHER_SHEETS = "portal.css", ("figures.css", "welcome.css")
_QUERY = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")


def apply_colour_scheme(css: str, scheme: str) -> str:
    """Return the style sheet as it applies in this colour scheme; `auto` changes nothing."""
    if scheme == AUTO:
        return css
    always, never = "(min-width: 0)", "(max-width: -1px)"
    css = _QUERY.sub(lambda query: always if query[1] == scheme else never, css)
    return css.replace("color-scheme: light dark", f"color-scheme: {scheme}")


def page_choices() -> list[tuple[str, str]]:
    """Return (path below the scheme, label) for every page in the menu."""
    pages = [(_page_path(page.scenario, page.name), str(page.label)) for page in sample_pages.all_pages()]
    return [*pages, (f"{SCENARIOS[0]}/no-such-page/", translation.gettext("Page not found"))]


def _page_path(scenario: str, name: str) -> str:
    return f"{scenario}{reverse(name, urlconf=_URLS)}"


@contextmanager
def _url_prefix(prefix: str) -> Iterator[None]:
    """Resolve and reverse URLs with the brand's URL table, below the prefix."""
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
    """A request for a brand's preview in a colour scheme and a scenario (see `sample_pages`)."""

    brand: Brand
    token: str
    scheme: str
    scenario: str

    def url(self, path: str, scheme: str = "") -> str:
        """Return the URL for a path of `page_choices`."""
        return f"/preview/{self.token}/{scheme or self.scheme}/{path}"

    @property
    def prefix(self) -> str:
        """The prefix of the brand's own URLs."""
        return self.url(f"{self.scenario}/")

    def next_url(self, rest: str) -> str:
        """Return the URL after a page's form is sent: the next page of the journey, or the first."""
        sample = sample_pages.find(scenario=self.scenario, name=_view_name(rest))
        return self.url(_page_path(*sample.next_page) if sample and sample.next_page else f"{SCENARIOS[0]}/")

    def get_response(self, rest: str, *, host: str) -> HttpResponse:
        """Return the response for a URL. Raise Http404 for a logo if there is none."""
        if rest in (_SHEET, *_OTHER_SHEETS):
            return self._sheet(Path(str(finders.find(f"css/{rest}"))).read_text())
        name = _view_name(rest)
        if name == "brand_css":
            return self._sheet(views.brand_css(self.brand))
        if name in ("brand_icon", "brand_touch_icon"):
            return self._icon(name)
        if name == "brand_logo":
            return self._logo()
        sample = sample_pages.find(scenario=self.scenario, name=name)
        if name and not sample:  # A real page without a sample, such as the download.
            return HttpResponseRedirect(self.prefix)
        return self._page(sample, rest, host)

    def _sheet(self, css: str) -> HttpResponse:
        return HttpResponse(apply_colour_scheme(css, self.scheme), content_type="text/css; charset=utf-8")

    def _icon(self, name: str) -> HttpResponse:
        if name == "brand_icon":
            return HttpResponse(icon.draw_svg(self.brand), content_type="image/svg+xml")
        return HttpResponse(icon.draw_png(self.brand), content_type="image/png")

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
                    response = render(
                        request, sample.template_for(brand), sample.context(brand, self.scenario)
                    )
                else:
                    response = error_views.not_found(request, Http404())
            return HttpResponse(response.content)  # Status 200, for the sample of a 404 too.

    def _request(self, rest: str, host: str) -> HttpRequest:
        """Build a request with the attributes that our middleware sets. The real request is not changed."""
        request = HttpRequest()
        request.method = "GET"
        request.path = request.path_info = self.prefix + rest
        request.META = {"HTTP_HOST": host}
        user = sample_pages.make_user(brand=self.brand, scenario=self.scenario) or AnonymousUser()
        vars(request).update(brand=self.brand, user=user, session={}, csp_nonce="", reference="")
        vars(request)["preview"] = {
            "start": self.prefix,
            "sheet": self.prefix + _SHEET,
            "color_scheme": "" if self.scheme == AUTO else self.scheme,
            "pages": [(self.url(path), label) for path, label in page_choices()],
        }
        return request


def _view_name(rest: str) -> str:
    """Return the name of the brand's view at a URL, or ""."""
    try:
        return resolve(f"/{rest}", urlconf=_URLS).view_name
    except Resolver404:
        return ""
