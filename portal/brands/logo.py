"""Decode an uploaded logo and encode it again, so that only a clean picture is stored and served."""

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
    """Return the picture fitted into 480 x 160 without metadata, its content type, and a hash for its URL.

    Raise ValueError with a message for the user.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(_("The logo is larger than 200 kB."))
    picture, kind = _decode(data)
    target = BytesIO()
    picture.save(target, kind, **({"quality": 90} if kind == "JPEG" else {}))
    if target.tell() > MAX_BYTES:
        raise ValueError(
            _("The logo is larger than 200 kB even at 480 x 160 pixels. Use fewer details or JPEG.")
        )
    encoded = target.getvalue()
    return encoded, _TYPES[kind], hashlib.sha256(encoded).hexdigest()[:16]


def _decode(data: bytes) -> tuple[Image.Image, str]:
    try:
        with Image.open(BytesIO(data), formats=tuple(_TYPES)) as image:
            _check_suitable(image)
            # A JPEG photo with an embedded preview has the format MPO.
            kind = image.format if image.format in _TYPES else "JPEG"
            return _clean(image, kind), kind
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(str(_TOO_MANY)) from error
    except UnidentifiedImageError as error:
        raise ValueError(_("The logo isn't a PNG, WebP or JPEG picture (you can't use SVG).")) from error
    except _UnsuitableLogo:
        raise
    except Exception as error:  # For a damaged file a decoder may raise anything, e.g. struct.error.
        raise ValueError(_("We can't read the logo. The file seems to be damaged.")) from error


class _UnsuitableLogo(ValueError):
    """A valid picture that cannot be used as a logo."""


_TOO_MANY = gettext_lazy("The logo has more than 4 million pixels. Make it smaller.")


def _check_suitable(image: Image.Image) -> None:
    """Raise _UnsuitableLogo for too many pixels or animation, from the header alone, before decoding."""
    if image.width * image.height > MAX_PIXELS:
        raise _UnsuitableLogo(str(_TOO_MANY))
    if getattr(image, "is_animated", False) and image.format in _TYPES:
        raise _UnsuitableLogo(_("The logo is animated. Use a still picture."))


def _clean(image: Image.Image, kind: str) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    transparent = kind != "JPEG" and upright.has_transparency_data
    picture = upright.convert("RGBA" if transparent else "RGB")
    picture.thumbnail(BOX, Image.Resampling.LANCZOS)
    picture.info = {}  # Else comments, profiles and positions would be saved again.
    return picture
