"""The portal as `make serve` runs it, without tables in its database, so that every page is a 503."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.conftest import ROOT
from tests.support.timeouts import PATIENCE

TOKEN = "a-token-for-the-tests"


@dataclass(frozen=True)
class GunicornServer:
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str) -> requests.Response:
        """Request a page on an unknown host, with the token for metrics."""
        headers = {"Host": "x.test", "Authorization": f"Bearer {TOKEN}"}
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=PATIENCE)

    def metric(self, line: str) -> float:
        """Return the value of a line of /metrics; 0 if there is none."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def raw(self, request: bytes) -> bytes:
        """Send a raw request and return the answer."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(request)
            return connection.makefile("rb").read()

    def wait_for_log(self, words: str, times: int = 1) -> str:
        """Wait until the log contains these words so often, and return it."""
        until = time.monotonic() + PATIENCE
        while self.log.read_text().count(words) < times:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        return self.log.read_text()


@contextlib.contextmanager
def run_gunicorn(
    folder: Path, config: str = "portal/gunicorn.py", **environment: str
) -> Iterator[GunicornServer]:
    """Run gunicorn, and end it with SIGTERM."""
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(folder),
        "SECRET_KEY": "only-for-tests-" * 4,
        "ENCRYPTION_KEY": "a passphrase for tests",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "BIND": "127.0.0.1:0",
        "METRICS_TOKEN": TOKEN,
        **dict.fromkeys(("SCHEME", "DEBUG", "REDIS_URL", "TRUSTED_PROXIES", "EMAIL_URL", "SENTRY_DSN"), ""),
        **environment,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", config, "portal.wsgi"]
    log = folder / "served.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=file)
    try:
        log_text = GunicornServer(process, 0, log).wait_for_log("Listening at: ")
        found = re.search(r"Listening at: .*:(\d+)", log_text)
        assert found
        yield GunicornServer(process, int(found[1]), log)
    except BaseException:
        print(log.read_text())  # pytest shows it with the failure.
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
