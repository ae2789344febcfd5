"""Settings of one partner's connection to the carrier: URL, API key, names of methods and codes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from portal.voipline.allowed_addresses import Reach
from portal.voipline.mapping import MappingError, Problem
from portal.voipline.messages import Words
from portal.voipline.methods import METHODS, Method
from portal.voipline.secret import Secret
from portal.voipline.urls import address, url_problem

MEANINGS = (
    "captcha_failed",
    "email_taken",
    "customer_unknown",
    "code_wrong",
    "already_confirmed",
    "not_authorised",
)


@dataclass(frozen=True)
class Timeouts:
    """Timeouts in seconds: `connect` per address, `read` per wait for data, `total` per call with retries."""

    connect: float = 3.0
    read: float = 10.0
    total: float = 15.0

    def __post_init__(self) -> None:
        if not all(0 < seconds < float("inf") for seconds in (self.connect, self.read, self.total)):
            raise ValueError("A timeout must be more than 0 seconds")

    @property
    def retry_unit(self) -> float:
        """The unit of the pauses between tries, and the least time that must be left for another try."""
        return self.total / 15


@dataclass(frozen=True)
class Carrier:
    """The settings that `call` needs. Raise MappingError, which names everything that is wrong.

    `url`: https, or http on this computer; the methods' paths are relative to it. `codes`: a code or an exact
    message of the carrier → one of MEANINGS. `reach`: the addresses that the host may have.
    """

    url: str
    key: Secret
    methods: Mapping[str, Method] = field(default_factory=lambda: METHODS)
    codes: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    reach: Reach = field(default_factory=Reach)

    def __post_init__(self) -> None:
        problems = self._url_problems() or self._path_problems()
        problems += self._key_problems() + self._code_problems()
        if problems:
            raise MappingError(problems)

    def _url_problems(self) -> list[Problem]:
        words = url_problem(self.url, self.reach)
        return [("url", words)] if words else []

    def _path_problems(self) -> list[Problem]:
        problems = []
        for key, method in self.methods.items():
            try:
                address(self.url, method.path, "0")
            except ValueError as error:
                problems.append((f"methods.{key}.path", error.args[0]))
        return problems

    def _key_problems(self) -> list[Problem]:
        text = self.key.reveal()
        if text and text.isascii() and text.isprintable() and " " not in text:
            return []
        words = Words("The API key is empty or holds a character that no key has (space, line break, …)")
        return [("key", words)]

    def _code_problems(self) -> list[Problem]:
        words = Words("The meaning must be one of {names}", names=", ".join(MEANINGS))
        return [(f"codes.{code}", words) for code, meaning in self.codes.items() if meaning not in MEANINGS]
