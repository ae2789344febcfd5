"""A brand without a logo has its letter on its accent as an icon; one with a logo has the logo."""

import re
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client
from PIL import Image

from portal.brands.icon import draw_png, draw_svg
from portal.core import colours
from portal.models import Brand
from tests.conftest import ADMIN, AURORA, BOREALIS

SVG, PNG = "/brand/icon.svg", "/brand/touch-icon.png"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def brand(name: str, accent: str = "#0b6e4f") -> Brand:
    return Brand(name=name, accent=accent)


def drawn(svg: str) -> tuple[str | None, str, str]:
    """Return letter, its colour and that of the ground, as a browser reads them."""
    root = ElementTree.fromstring(svg)
    ground, text = root.find(f"{NAMESPACE}rect"), root.find(f"{NAMESPACE}text")
    assert ground is not None
    assert text is not None
    assert [each.tag for each in root] == [f"{NAMESPACE}rect", f"{NAMESPACE}text"]
    return text.text, text.attrib["fill"], ground.attrib["fill"]


def pixels(png: bytes) -> Any:
    image = Image.open(BytesIO(png))
    assert (image.format, image.size) == ("PNG", (180, 180))
    return image.convert("RGBA")


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("Aurora", "A"),
        ("zebra", "Z"),
        ("<script>", "<"),
        ("& Sons", "&"),
        ('"Quoted"', '"'),
        ("'n", "'"),
        ("éclair", "É"),
        ("电话", "电"),
        ("هاتف", "ه"),
        ("3CX", "3"),
        ("ßtar", "SS"),
    ],
)
def test_icon_is_the_first_letter_of_any_name(name, letter):
    assert drawn(draw_svg(brand(name))) == (letter, "#ffffff", "#0b6e4f")
    image = pixels(draw_png(brand(name)))
    ground = (*colours.channels("#0b6e4f"), 255)
    assert image.getpixel((0, 0)) == image.getpixel((179, 179)) == ground
    assert image.getextrema()[3] == (255, 255)  # A phone would fill transparency with black.
    assert len(image.getcolors(100_000)) > 1


@pytest.mark.parametrize("letter", list("#$\\_*[]@`/"))
def test_signs_of_the_typesetter_are_letters(letter):
    images = [pixels(draw_png(brand(each))) for each in (letter, "A")]
    assert images[0].tobytes() != images[1].tobytes()


@pytest.mark.parametrize("accent", ["#0b6e4f", "#FFDD00", "#7c3aed", "#000000", "#ffffff"])
def test_letter_is_readable_on_any_accent(accent):
    _letter, ink, ground = drawn(draw_svg(brand("Aurora", accent)))
    assert ground == accent.lower()
    assert colours.contrast(ink, ground) >= colours.AA
    image = pixels(draw_png(brand("Aurora", accent)))
    shown = {pixel[:3] for _count, pixel in image.getcolors(100_000)}
    assert {colours.channels(ink), colours.channels(ground)} <= shown


@pytest.mark.parametrize(("path", "kind"), [(SVG, "image/svg+xml"), (PNG, "image/png")])
def test_icon_is_revalidated_and_changes_with_the_brand(aurora, borealis, browse, path, kind):
    client = browse(AURORA)
    first = client.get(path)
    assert (first.status_code, first["Content-Type"]) == (200, kind)
    assert first["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in first.headers
    again = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert client.head(path).status_code == 200
    assert client.post(path).status_code == 405
    other = browse(BOREALIS).get(path)
    assert other["ETag"] != first["ETag"]
    assert other.content != first.content
    aurora.name = "Zephyr Phone"
    aurora.save()
    changed = client.get(path, headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, changed["ETag"] != first["ETag"]) == (200, True)


def icons(client: Client) -> dict[str, str]:
    page = client.get("/sign-in/").content.decode()
    return dict(re.findall(r'<link rel="([\w-]*icon)"[^>]*? href="([^"]+)"', page))


def test_page_links_the_logo_of_a_brand_that_has_one(aurora, borealis, browse):
    assert icons(browse(AURORA)) == {"icon": SVG, "apple-touch-icon": PNG}
    aurora.logo, aurora.logo_type, aurora.logo_hash = b"logo", "image/png", "abc123"
    aurora.save()
    assert icons(browse(AURORA)) == {"icon": "/brand/logo?v=abc123"}
    assert icons(browse(BOREALIS)) == {"icon": SVG, "apple-touch-icon": PNG}


def test_admin_has_no_brands_icon(aurora):
    for path in (SVG, PNG):
        assert Client(headers={"host": ADMIN}).get(path).status_code == 404
