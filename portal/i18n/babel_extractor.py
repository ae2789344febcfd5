"""Reads translatable texts out of Django's templates, for `pybabel extract` (see babel.cfg)."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from babel.messages.extract import extract_python
from django.utils.translation.template import templatize


def extract_template(
    file: BinaryIO, keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[Any, ...]]:
    """What Babel wants of an extraction method: (line, function, messages, comments) for each text.

    Django rewrites a template as calls of gettext, as its own makemessages does, and Babel reads those.
    """
    code = templatize(file.read().decode())
    return extract_python(io.BytesIO(code.encode()), keywords, comment_tags, options)
