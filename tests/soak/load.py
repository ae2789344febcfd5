"""The load under which single faults are tried: readers, strangers, forms, staff, and new figures."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.conftest import ADMIN, BOREALIS
from tests.soak.assertions import FIGURES, FORM, READ
from tests.soak.visitors import Broken, Soak, Walker, mailbox, own
from tests.support import http_steps
from tests.support.cluster import Person

PAUSE = 0.15  # Seconds between an answer and the next question of the same reader.
OF_CUSTOMERS = ("/", "/statement/", "/account/", "/statement.csv")
OF_STRANGERS = ("/", "/sign-in/", "/sign-up/", "/password-reset/")
OF_STAFF = ("/admin/", "/admin/accounts/user/", "/admin/portal/carriercall/")
READERS, STRANGERS = 3, 2  # Of each brand.


class Load:
    """Runs until it is told to end. `seen` is shared with everybody else's."""

    def __init__(self, soak: Soak) -> None:
        self.soak, self.over = soak, threading.Event()
        jobs = [job for brand in soak.site.carriers for job in self._jobs(brand)]
        self._threads = [threading.Thread(target=job) for job in jobs]
        self.readers = len(jobs) - len(soak.site.carriers)  # All but those who send forms.

    def _jobs(self, brand: str) -> Iterator[Callable[[], None]]:
        customers = self.soak.customers(brand)
        for nth in range(READERS):
            reader = self._customer(brand, customers[nth], f"{READ} customer {nth} of {brand}")
            yield self._asking(reader, itertools.cycle(OF_CUSTOMERS))
        for nth in range(STRANGERS):
            stranger = Walker(self.soak, brand, "nobody", kind=f"{READ} stranger {nth} of {brand}")
            yield self._asking(stranger, itertools.cycle(OF_STRANGERS))
        yield self._staff(brand)
        yield self._figures(brand, customers[READERS])
        yield lambda: self._forms(brand)

    def _customer(self, brand: str, person: Person, kind: str) -> Walker:
        walker = Walker(self.soak, brand, person.email)
        assert walker.sign_in(), f"{person.email} could not sign in"
        walker.kind = kind
        return walker

    def _staff(self, brand: str) -> Callable[[], None]:
        person = [each for each in self.soak.people if each.brand == brand and not each.number][-1]
        walker = Walker(self.soak, brand, "", ADMIN)
        assert http_steps.staff_sign_in(walker, person.email).headers.get("Location") == "/admin/"
        walker.kind, walker.signed_in = f"{READ} staff of {brand}", True
        return self._asking(walker, itertools.cycle(OF_STAFF))

    def _figures(self, brand: str, person: Person) -> Callable[[], None]:
        """Asks for a day of which nobody has asked, which only the carrier can answer."""
        walker = self._customer(brand, person, f"{FIGURES} of {brand}")
        days = ("/statement/?from_date={0}&to_date={0}".format(self.soak.day()) for _ in itertools.count())
        return self._asking(walker, days, 1.5)

    def _asking(self, walker: Walker, paths: Iterator[str], pause: float = PAUSE) -> Callable[[], None]:
        def job() -> None:
            with walker.session:
                while not self.over.wait(pause):
                    with suppress(Broken):
                        walker.open(next(paths))

        return job

    def _forms(self, brand: str) -> None:
        """Somebody unknown asks for a code, and gets a mail that says so; each is a browser of its own."""
        google = own(mailbox(self.soak))
        while not self.over.wait(0.5):
            email = self.soak.newcomer(brand)  # What they type comes back where the form does.
            walker = Walker(self.soak, brand, email, kind=f"{FORM} of {brand}")
            with walker.session, suppress(Broken):
                ticked: dict[str, Any] = http_steps.captcha(walker, google) if walker.host == BOREALIS else {}
                walker.send("/sign-in/", {"email": email, **ticked})

    def start(self) -> None:
        """Let them come."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Send them home."""
        self.over.set()
        for thread in self._threads:
            thread.join(timeout=120)
