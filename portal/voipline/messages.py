"""English messages about a configuration, which a caller can translate."""


class Words(str):
    """An English text. With `template` and `values` a caller can translate the template and fill it in."""

    template: str
    values: dict[str, str]

    def __new__(cls, template: str, **values: str) -> "Words":
        words = super().__new__(cls, template.format(**values) if values else template)
        words.template, words.values = template, values
        return words
