"""The carrier client's texts in the reader's language; the client itself knows no translation."""

from django.utils.translation import gettext

from portal.voipline.messages import Words


def translate(said: object) -> str:
    """A text of the client, or the one that an error of the client carries, in the current language."""
    words = said.args[0] if isinstance(said, Exception) and said.args else said
    if not isinstance(words, Words):
        return str(words)
    text = gettext(words.template)
    return text.format(**words.values) if words.values else text
