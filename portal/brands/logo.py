"""Logos: whatever is uploaded is decoded and written anew, so that only a picture is kept and served."""

import hashlib
from io import BytesIO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_BYTES = 200_000
MAX_PIXELS = 4_000_000
BOX = (480, 160)
_TYPES = {"PNG": "image/png", "WEBP": "image/webp", "JPEG": "image/jpeg"}


def read_logo(data: bytes) -> tuple[bytes, str, str]:
    """The picture fitted into 480 x 160 without its metadata, its content type, and a hash for its address.

    Raises ValueError, in words for whoever chose the file.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(_("The logo is larger than 200 kB."))
    picture, kind = _decoded(data)
    target = BytesIO()
    picture.save(target, kind, **({"quality": 90} if kind == "JPEG" else {}))
    if target.tell() > MAX_BYTES:
        raise ValueError(
            _("The logo is larger than 200 kB even at 480 x 160 pixels; use fewer details or JPEG.")
        )
    written = target.getvalue()
    return written, _TYPES[kind], hashlib.sha256(written).hexdigest()[:16]


def _decoded(data: bytes) -> tuple[Image.Image, str]:
    try:
        with Image.open(BytesIO(data), formats=tuple(_TYPES)) as image:
            _refuse_unfit(image)
            # A photo with a preview in it calls itself MPO, and is a JPEG all the same.
            kind = image.format if image.format in _TYPES else "JPEG"
            return _plain(image, kind), kind
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(_TOO_MANY)) from error
    except UnidentifiedImageError as error:
        raise ValueError(_("The logo is no PNG, WebP or JPEG picture (SVG cannot be used).")) from error
    except _Unfit:
        raise
    except Exception as error:  # Of a damaged file a decoder may raise anything, struct.error for one.
        raise ValueError(_("The logo cannot be read; the file seems to be damaged.")) from error


class _Unfit(ValueError):
    """A sound picture that is no logo."""


_TOO_MANY = gettext_lazy("The logo has more than 4 million pixels; make it smaller.")


def _refuse_unfit(image: Image.Image) -> None:
    """Judged from the header alone, before anything is decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise _Unfit(str(_TOO_MANY))
    if getattr(image, "is_animated", False) and image.format in _TYPES:
        raise _Unfit(_("The logo is animated; use a still picture."))


def _plain(image: Image.Image, kind: str) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    transparent = kind != "JPEG" and upright.has_transparency_data
    picture = upright.convert("RGBA" if transparent else "RGB")
    picture.thumbnail(BOX, Image.Resampling.LANCZOS)
    picture.info = {}  # Comments, profiles and positions would be written again.
    return picture
