"""What the client says about a configuration: in English, but so that a caller can translate it."""


class Words(str):
    """An English text. `template` and `values` let a caller translate the template and fill it in again."""

    template: str
    values: dict[str, str]

    def __new__(cls, template: str, **values: str) -> "Words":
        words = super().__new__(cls, template.format(**values) if values else template)
        words.template, words.values = template, values
        return words
