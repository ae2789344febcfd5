"""Translate the texts of the carrier client, which does not use Django's translation itself."""

from django.utils.translation import gettext

from portal.voipline.messages import Words


def translate(message: object) -> str:
    """Return a text of the client, or the text of an error of the client, in the current language."""
    words = message.args[0] if isinstance(message, Exception) and message.args else message
    if not isinstance(words, Words):
        return str(words)
    text = gettext(words.template)
    return text.format(**words.values) if words.values else text
