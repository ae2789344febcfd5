"""Extract translatable texts from Django templates, for `pybabel extract` (see babel.cfg)."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from babel.messages.extract import extract_python
from django.utils.translation.template import templatize


def extract_template(
    file: BinaryIO, keywords: Any, comment_tags: Any, options: Any
) -> Iterator[tuple[Any, ...]]:
    """Yield (line, function, messages, comments) for each text, as Babel's extraction methods do.

    Django rewrites the template as calls of gettext, as its makemessages does, and Babel reads those.
    """
    code = templatize(file.read().decode())
    return extract_python(io.BytesIO(code.encode()), keywords, comment_tags, options)
