"""What goes wrong at random: carriers, the mail server, and nodes that die."""

import random
import time
from typing import Any

from tests.soak.visitors import Soak, own
from tests.support import transfers

Fault = tuple[str, dict[str, Any]]
# What a carrier may do to a move: whether it happened is not always clear then.
OF_MOVES: tuple[Fault, ...] = (*transfers.FAULTS, ("slow", {"seconds": 3}))
OF_READS: tuple[Fault, ...] = (
    *OF_MOVES,
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
OF_MAIL: tuple[Fault, ...] = (("slow", {"seconds": 3}), ("down", {}), ("reject", {}))


class Chaos:
    """Provokes faults and ends nodes; `told` says what it did, and when."""

    def __init__(self, soak: Soak, seed: int) -> None:
        self.soak, self.chance = soak, random.Random(f"{seed}/chaos")
        self.carriers = {brand: own(carrier) for brand, carrier in soak.site.carriers.items()}
        self.begun = time.monotonic()
        self.told: list[str] = []

    def say(self, what: str) -> None:
        """Print and keep a line."""
        self.told.append(f"{time.monotonic() - self.begun:6.1f} s  {what}")
        print(self.told[-1], flush=True)

    def rage(self, seconds: float) -> None:
        """Faults all the time; each node is killed once, one of them is stopped once besides."""
        nodes, until = list(self.soak.site.nodes), time.monotonic() + seconds
        self.chance.shuffle(nodes)
        ends = [(nodes[0], "kill"), (nodes[1], "kill"), (nodes[0], "stop")]
        for node, how in ends:
            self._faults(seconds / 5)
            self.say(f"{how} node {node.address}")
            getattr(node, how)()
            self._faults(self.chance.uniform(1, 3))
            node.start()
            node.ready()
            self.say(f"node {node.address} is back")
        self._faults(until - time.monotonic())
        self.calm()

    def _faults(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._one()
            time.sleep(min(left, self.chance.uniform(0.5, 2)))

    def _one(self) -> None:
        brand, carrier = self.chance.choice(sorted(self.carriers.items()))
        dice = self.chance.random()
        if dice < 0.25:
            carrier.post("faults/clear")
            self.say(f"{brand}: all is well")
        elif dice < 0.35:
            name, options = self.chance.choice(OF_MAIL)
            own(self.soak.site.stack.carrier).fault("smtp", name, times=3, **options)
            self.say(f"mail server: {name}")
        else:
            method = self.chance.choice(METHODS)
            name, options = self.chance.choice(OF_MOVES if method in ("move_funds", "*") else OF_READS)
            times = self.chance.choice((1, 2, 5, None))
            carrier.fault(method, name, times=times, **options)
            self.say(f"{brand}: {method} {name} {options or ''} {times or 'until cleared'}")

    def calm(self) -> None:
        """End all faults."""
        for carrier in self.carriers.values():
            carrier.post("faults/clear")
        self.say("all faults end")

    def hang(self, brand: str) -> None:
        """Each call of a brand's carrier is received and never answered."""
        self.carriers[brand].fault("*", "hang")
        self.say(f"{brand}: everything hangs")
