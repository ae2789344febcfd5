"""`manage.py demo`: run two brands with the carrier simulator and an inbox, ready to try out."""

import contextlib
import fcntl
import io
import logging
import os
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import requests
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.utils import timezone

from accounts.models import TotpDevice, User
from accounts.staff.totp import generate_key
from portal.carrier.connection_proof import check_connection
from portal.mail.test_mail import send_test_mail
from portal.management import demo_environment
from portal.management.processes import python_process
from portal.models import Brand

BRANDS = Path(__file__).resolve().parent.parent.parent / "demo.toml"
OPERATOR, STAFF = "operator@example.com", ("sam@example.com", "aurora")
_COLUMNS = "email,account_number,first_name,last_name,account_type,credit_limit\n"
CUSTOMERS = {
    "aurora": f"{_COLUMNS}alice@example.com,70001,Alice,Archer,prepaid,\n"
    "bob@example.com,70002,Bob,Baker,postpaid,-55\n",
    "borealis": f"{_COLUMNS}charlie@example.com,80001,Charlie,Cole,prepaid,\n",
}
# The simulator knows this brand, so that it can be connected in the admin (docs/connect-a-brand.md).
THIRD = "cirrus"
READY_WITHIN = 120  # Seconds, on a busy machine.


class Command(BaseCommand):
    """Run everything in the foreground until Ctrl-C. Each start creates a new database.

    It also ends when its terminal closes or its parent process ends. Its children end with it, even if it is
    killed: each of them watches a pipe that only the demo holds open.
    """

    help = "Run two demonstration brands against the stand-in carrier, on this machine only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        demo_environment.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare and start everything, print the addresses, and wait."""
        parent = os.getppid()
        logging.disable(logging.INFO)  # In this process only: the addresses shall be the last output.
        # Handle signals that the shell may ignore: SIGINT for a background command, SIGHUP with nohup.
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signal_number, signal.default_int_handler)
        ports = {name: options[name] for name in ("port", "carrier_port", "smtp_port")}
        for name, port in ports.items():
            _require_free_port(name, port)
        carrier = f"127.0.0.1:{options['carrier_port']}"
        lock = _lock(options["home"])
        with lock, contextlib.suppress(KeyboardInterrupt), _simulator(carrier, options["smtp_port"]):
            passwords = _prepare(carrier, options["port"], options["home"])
            with _portal():
                self._print_addresses(carrier, options["port"], passwords)
                while os.getppid() == parent:
                    if _enter_pressed(within=0.5):
                        self._print_addresses(carrier, options["port"], passwords)
        with contextlib.suppress(OSError):  # The terminal may be gone.
            self.stdout.write("\nThe demo has ended.")

    def _print_addresses(self, carrier: str, port: int, passwords: dict[str, str]) -> None:
        rows = [
            ("To connect a third brand in the admin, step by step as in docs/connect-a-brand.md:", ""),
            ("Host", f"{THIRD}.localhost"),
            ("API address", f"http://{carrier}/api/integration/v2/"),
            ("API key", f"{THIRD}-api-key"),
            ("Login hosts", carrier),
            ("Site key", f"{THIRD}-site-key"),
            ("Its pages then", f"http://{THIRD}.localhost:{port}/"),
            ("", ""),
            ("Sign up, or sign in as alice@example.com or bob@example.com (Aurora Phone) or", ""),
            ("charlie@example.com (Borealis Phone). Every mail lands in the inbox.", ""),
            ("", ""),
            ("The demo is ready. Enter shows this again; Ctrl-C ends it. Each start has fresh data.", ""),
            *((brand.name, f"http://{brand.main_host}:{port}/") for brand in Brand.objects.order_by("name")),
            ("Inbox", f"http://{carrier}/inbox/"),
            ("Authenticator", f"http://{carrier}/authenticator/   the code that the admin asks for"),
            ("Admin", f"http://admin.localhost:{port}/admin/"),
        ]
        for email, password in passwords.items():
            role = "operator" if email == OPERATOR else f"staff of {STAFF[1].capitalize()}"
            rows.append(("", f"{email}  {password}   {role}"))
        for name, text in rows:
            self.stdout.write(f"  {name:<16} {text}" if text else name)
        self.stdout.flush()


def _enter_pressed(within: float) -> bool:
    """Return True if Enter is pressed within so many seconds. Without a terminal just wait."""
    try:
        if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():  # In the background the shell reads it.
            return bool(select.select([0], [], [], within)[0] and os.read(0, 1024))
    except OSError:  # The terminal may be gone.
        pass
    time.sleep(within)
    return False


def _require_free_port(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            option = "--" + name.replace("_", "-")
            raise CommandError(f"Port {port} is taken. Choose another with {option}.") from error


def _lock(home: Path) -> IO[str]:
    """Lock the folder until this process ends, however it ends. Another demo would delete our database."""
    file = (home / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CommandError(
            f"A demo is running in {home}. End it, or choose another folder with --home."
        ) from None
    return file


@contextlib.contextmanager
def _simulator(carrier: str, smtp_port: int) -> Iterator[None]:
    port = carrier.rpartition(":")[2]
    command = ("-m", "portal.simulator", "--with-parent", "--port", port, "--smtp-port", str(smtp_port))
    with python_process(*command, stdout=subprocess.DEVNULL) as process:
        _wait_for(f"http://{carrier}/", process)
        yield


@contextlib.contextmanager
def _portal() -> Iterator[None]:
    gunicorn = ("-m", "gunicorn", "-c", "portal/management/demo_gunicorn.py", "--log-level", "warning")
    worker = ("manage.py", "run_worker", "--with-parent")
    with (
        python_process(*worker, stdout=subprocess.DEVNULL),
        python_process(*gunicorn, "portal.wsgi", stdout=subprocess.DEVNULL) as process,
    ):
        _wait_for(f"http://{settings.BIND}/healthz", process)
        yield


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            _http().get(url, timeout=5)
            return
        time.sleep(0.1)
    raise CommandError(f"{url} did not answer within {READY_WITHIN} seconds; see its output above.")


def _http() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # A proxy from the environment cannot reach this machine's ports.
    return session


def _collect_static() -> None:
    """Collect static files, unless they are up to date: another server may be serving them."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    sources = (Path(storage.path(name)) for finder in get_finders() for name, storage in finder.list([]))
    if not manifest.exists() or max(path.stat().st_mtime for path in sources) > manifest.stat().st_mtime:
        call_command("collectstatic", interactive=False, verbosity=0)


def _prepare(carrier: str, port: int, home: Path) -> dict[str, str]:
    """Create a database with brands, customers and two users of the admin. Return the passwords by email."""
    for leftover in home.glob("demo.sqlite3*"):
        leftover.unlink()
    call_command("migrate", verbosity=0)
    _collect_static()
    config = home / "brands.toml"
    config.write_text(BRANDS.read_text().replace("CARRIER", carrier))
    call_command("apply_config", str(config), stdout=io.StringIO())
    for slug, rows in CUSTOMERS.items():
        file = home / f"{slug}.csv"
        file.write_text(rows)
        call_command("import_customers", slug, str(file), stdout=io.StringIO())
    _seed_simulator(carrier, port)
    for brand in Brand.objects.all():  # So that their launch checklist is complete.
        check_connection(brand=brand)
        send_test_mail(brand=brand, to=OPERATOR)
    return _create_admin_users(carrier)


def _create_admin_users(carrier: str) -> dict[str, str]:
    """Create an operator and a staff user of one brand, and add both to the simulator's authenticator app."""
    email, slug = STAFF
    passwords = {OPERATOR: secrets.token_urlsafe(9), email: secrets.token_urlsafe(9)}
    operator = User.objects.create_superuser("operator", OPERATOR, passwords[OPERATOR])
    staff = User(email=email, is_staff=True)
    staff.set_password(passwords[email])
    staff.save()
    staff.brands.add(Brand.objects.get(slug=slug))
    # The accounts are 30 days old, because a new account may not approve transfers.
    User.objects.filter(brand=None).update(date_joined=timezone.now() - timedelta(days=30))
    for user in (operator, staff):
        key = generate_key()
        TotpDevice.objects.create(user=user, name="demo", key=key)
        entry = {"name": user.email, "key": key.reveal()}
        _http().post(f"http://{carrier}/_control/authenticator", json=entry, timeout=5).raise_for_status()
    return passwords


def _seed_simulator(carrier: str, port: int) -> None:
    partners = [{"key": f"{slug}-api-key", "confirm_url": _confirm_url(slug, port)} for slug in CUSTOMERS]
    third = {
        "key": f"{THIRD}-api-key",
        "name": THIRD.capitalize(),
        "site_key": f"{THIRD}-site-key",
        "secret_key": f"{THIRD}-secret-key",
        "balance": "1250",
        "confirm_url": _confirm_url(THIRD, port),
    }
    seed = {"partners": [*partners, third]}
    _http().post(f"http://{carrier}/_control/seed", json=seed, timeout=5).raise_for_status()


def _confirm_url(slug: str, port: int) -> str:
    return f"http://{slug}.localhost:{port}/sign-up/confirm/?email={{email}}&code={{code}}"
