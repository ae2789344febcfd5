"""The load during single faults: readers, anonymous visitors, forms, staff, and uncached statements."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from tests.conftest import ADMIN, BOREALIS
from tests.soak.assertions import FIGURES, FORM, READ
from tests.soak.visitors import RecordingVisitor, Soak, VisitFailed, copy_of, mailbox
from tests.support import http_steps
from tests.support.cluster import Person

PAUSE = 0.15  # Seconds between an answer and the next request of a reader.
CUSTOMER_PATHS = ("/", "/statement/", "/account/", "/statement.csv")
ANONYMOUS_PATHS = ("/", "/sign-in/", "/sign-up/", "/password-reset/")
STAFF_PATHS = ("/admin/", "/admin/accounts/user/", "/admin/portal/carriercall/")
READERS, ANONYMOUS = 3, 2  # Per brand.


class Load:
    """Runs until it is ended. `soak.seen` is shared with everything else."""

    def __init__(self, soak: Soak) -> None:
        self.soak, self.over = soak, threading.Event()
        jobs = [job for brand in soak.site.carriers for job in self._jobs(brand)]
        self._threads = [threading.Thread(target=job) for job in jobs]
        self.readers = len(jobs) - len(soak.site.carriers)  # All except those who send forms.

    def _jobs(self, brand: str) -> Iterator[Callable[[], None]]:
        customers = self.soak.customers(brand)
        for nth in range(READERS):
            reader = self._customer(brand, customers[nth], f"{READ} customer {nth} of {brand}")
            yield self._request_job(reader, itertools.cycle(CUSTOMER_PATHS))
        for nth in range(ANONYMOUS):
            anonymous = RecordingVisitor(self.soak, brand, "nobody", kind=f"{READ} visitor {nth} of {brand}")
            yield self._request_job(anonymous, itertools.cycle(ANONYMOUS_PATHS))
        yield self._staff(brand)
        yield self._figures(brand, customers[READERS])
        yield lambda: self._forms(brand)

    def _customer(self, brand: str, person: Person, kind: str) -> RecordingVisitor:
        visitor = RecordingVisitor(self.soak, brand, person.email)
        assert visitor.sign_in(), f"{person.email} could not sign in"
        visitor.kind = kind
        return visitor

    def _staff(self, brand: str) -> Callable[[], None]:
        person = [each for each in self.soak.people if each.brand == brand and not each.number][-1]
        visitor = RecordingVisitor(self.soak, brand, "", ADMIN)
        assert http_steps.staff_sign_in(visitor, person.email).headers.get("Location") == "/admin/"
        visitor.kind, visitor.signed_in = f"{READ} staff of {brand}", True
        return self._request_job(visitor, itertools.cycle(STAFF_PATHS))

    def _figures(self, brand: str, person: Person) -> Callable[[], None]:
        """Request statements of days not requested before, which only the carrier can answer."""
        visitor = self._customer(brand, person, f"{FIGURES} of {brand}")
        days = ("/statement/?from_date={0}&to_date={0}".format(self.soak.day()) for _ in itertools.count())
        return self._request_job(visitor, days, 1.5)

    def _request_job(
        self, visitor: RecordingVisitor, paths: Iterator[str], pause: float = PAUSE
    ) -> Callable[[], None]:
        def job() -> None:
            with visitor.session:
                while not self.over.wait(pause):
                    with suppress(VisitFailed):
                        visitor.open(next(paths))

        return job

    def _forms(self, brand: str) -> None:
        """Request codes for unknown emails, each as a new browser."""
        google = copy_of(mailbox(self.soak))
        while not self.over.wait(0.5):
            email = self.soak.newcomer(brand)  # The form shows the email again.
            visitor = RecordingVisitor(self.soak, brand, email, kind=f"{FORM} of {brand}")
            with visitor.session, suppress(VisitFailed):
                ticked: dict[str, Any] = (
                    http_steps.captcha(visitor, google) if visitor.host == BOREALIS else {}
                )
                visitor.send("/sign-in/", {"email": email, **ticked})

    def start(self) -> None:
        """Start the visitors."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop the visitors."""
        self.over.set()
        for thread in self._threads:
            thread.join(timeout=120)
