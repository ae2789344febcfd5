"""Random faults of carriers, the mail server and nodes."""

import random
import time
from typing import Any

from tests.soak.visitors import Soak, copy_of
from tests.support import transfers

Fault = tuple[str, dict[str, Any]]
# Carrier faults of a transfer; in some it is unclear whether it happened.
TRANSFER_FAULTS: tuple[Fault, ...] = (*transfers.FAULTS, ("slow", {"seconds": 3}))
READ_FAULTS: tuple[Fault, ...] = (
    *TRANSFER_FAULTS,
    ("status", {"status": 429, "retry_after": "2"}),
    ("code", {"status": 500}),
    ("html_error", {}),
    ("empty", {}),
    ("huge", {}),
    ("drip_body", {}),
    ("drip_headers", {}),
    ("cut", {"message": "body"}),
    *(("wrong_json", {"message": kind}) for kind in ("array", "nan", "types", "null_data", "duplicate")),
)
METHODS = (
    *("move_funds",) * 8,
    *(
        "customer_balance",
        "customer_balance",
        "partner_balance",
        "register_customer",
        "confirm_email",
        "login_via_url",
        "reset_password",
        "*",
    ),
)
MAIL_FAULTS: tuple[Fault, ...] = (("slow", {"seconds": 3}), ("down", {}), ("reject", {}))


class FaultInjector:
    """Injects faults and ends nodes; `log` says what it did, and when."""

    def __init__(self, soak: Soak, seed: int) -> None:
        self.soak, self.chance = soak, random.Random(f"{seed}/chaos")
        self.carriers = {brand: copy_of(carrier) for brand, carrier in soak.site.carriers.items()}
        self.begun = time.monotonic()
        self.log: list[str] = []

    def record(self, what: str) -> None:
        """Print and store a line."""
        self.log.append(f"{time.monotonic() - self.begun:6.1f} s  {what}")
        print(self.log[-1], flush=True)

    def inject_random_faults(self, seconds: float) -> None:
        """Inject faults all the time; each node is killed once, and one is stopped once besides."""
        nodes, until = list(self.soak.site.nodes), time.monotonic() + seconds
        self.chance.shuffle(nodes)
        endings = [(nodes[0], "kill"), (nodes[1], "kill"), (nodes[0], "stop")]
        for node, how in endings:
            self._faults(seconds / 5)
            self.record(f"{how} node {node.address}")
            getattr(node, how)()
            self._faults(self.chance.uniform(1, 3))
            node.start()
            node.ready()
            self.record(f"node {node.address} is back")
        self._faults(until - time.monotonic())
        self.clear_faults()

    def _faults(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._inject_one()
            time.sleep(min(left, self.chance.uniform(0.5, 2)))

    def _inject_one(self) -> None:
        brand, carrier = self.chance.choice(sorted(self.carriers.items()))
        dice = self.chance.random()
        if dice < 0.25:
            carrier.post("faults/clear")
            self.record(f"{brand}: all is well")
        elif dice < 0.35:
            name, options = self.chance.choice(MAIL_FAULTS)
            copy_of(self.soak.site.stack.carrier).fault("smtp", name, times=3, **options)
            self.record(f"mail server: {name}")
        else:
            method = self.chance.choice(METHODS)
            name, options = self.chance.choice(
                TRANSFER_FAULTS if method in ("move_funds", "*") else READ_FAULTS
            )
            times = self.chance.choice((1, 2, 5, None))
            carrier.fault(method, name, times=times, **options)
            self.record(f"{brand}: {method} {name} {options or ''} {times or 'until cleared'}")

    def clear_faults(self) -> None:
        """End all faults."""
        for carrier in self.carriers.values():
            carrier.post("faults/clear")
        self.record("all faults end")

    def hang(self, brand: str) -> None:
        """Let each call to a brand's carrier hang."""
        self.carriers[brand].fault("*", "hang")
        self.record(f"{brand}: everything hangs")
