"""Logos: every upload is re-encoded, so that only an image comes out."""

import hashlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from portal.brands.logo import BOX, MAX_BYTES, read_logo


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 20), mode: str = "RGB", **options: Any) -> bytes:
    target = BytesIO()
    Image.new(mode, size, options.pop("colour", 0)).save(target, kind, **options)
    return target.getvalue()


@pytest.mark.parametrize(
    ("kind", "content_type"), [("PNG", "image/png"), ("WEBP", "image/webp"), ("JPEG", "image/jpeg")]
)
def test_image_keeps_its_format_and_size(kind: str, content_type: str) -> None:
    data, kind_found, mark = read_logo(picture(kind))
    assert (kind_found, mark) == (content_type, hashlib.sha256(data).hexdigest()[:16])
    image = Image.open(BytesIO(data))
    assert (image.format, image.size) == (kind, (60, 20))
    assert read_logo(picture(kind)) == (data, kind_found, mark)


@pytest.mark.parametrize(("size", "fitted"), [((960, 160), (480, 80)), ((100, 1600), (10, 160))])
def test_large_image_is_scaled_down(size: tuple[int, int], fitted: tuple[int, int]) -> None:
    assert Image.open(BytesIO(read_logo(picture(size=size))[0])).size == fitted


@pytest.mark.parametrize(
    ("mode", "out"), [("RGBA", "RGBA"), ("L", "RGB"), ("P", "RGB"), ("LA", "RGBA"), ("1", "RGB")]
)
def test_transparency_is_kept_in_every_mode(mode: str, out: str) -> None:
    assert Image.open(BytesIO(read_logo(picture(mode=mode))[0])).mode == out


def test_metadata_and_trailing_data_are_removed() -> None:
    info = PngInfo()
    info.add_text("Comment", "canary-comment")
    exif = Image.Exif()
    exif[0x010E] = "canary-exif"
    for data in (
        picture(pnginfo=info, exif=exif, icc_profile=b"canary-profile"),
        picture("JPEG", exif=exif, comment=b"canary-comment", icc_profile=b"canary-profile"),
        picture("WEBP", exif=exif, xmp=b"canary-xmp"),
        picture() + b"<script>canary</script>",
    ):
        assert b"canary" in data
        assert b"canary" not in read_logo(data)[0]


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert Image.open(BytesIO(read_logo(picture("JPEG", exif=exif))[0])).size == (20, 60)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "isn't a PNG, WebP or JPEG"),
        (SVG, "you can't use SVG"),
        (picture("GIF"), "isn't a PNG, WebP or JPEG"),
        (picture() + b"\0" * MAX_BYTES, "larger than 200 kB"),
        (picture("JPEG", (300, 200))[:-200], "damaged"),
        (picture(size=(2001, 2000), mode="1"), "more than 4 million pixels"),
        (picture(size=(16000, 16000), mode="1"), "more than 4 million pixels"),
        (picture(save_all=True, append_images=[Image.new("RGB", (60, 20), "red")]), "animated"),
        (picture("WEBP", save_all=True, append_images=[Image.new("RGB", (60, 20), "red")]), "animated"),
    ],
)
def test_animated_oversized_or_other_file_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_logo(data)


@given(data=st.data())
def test_damaged_file_is_an_image_or_refused(data: st.DataObject) -> None:
    image = bytearray(picture(data.draw(st.sampled_from(["PNG", "WEBP", "JPEG"]))))
    for position in data.draw(st.lists(st.integers(0, len(image) - 1), max_size=4)):
        image[position] = data.draw(st.integers(0, 255))
    try:
        written, _type, _hash = read_logo(bytes(image))
    except ValueError:
        return
    width, height = Image.open(BytesIO(written)).size
    assert width <= BOX[0]
    assert height <= BOX[1]
