"""The portal as `make serve` runs it, without a table in its database: every page is the honest 503."""

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
class Served:
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str) -> requests.Response:
        """A page, on a host that no brand has; the metrics with their token."""
        headers = {"Host": "x.test", "Authorization": f"Bearer {TOKEN}"}
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=PATIENCE)

    def counted(self, line: str) -> float:
        """The value of a line of /metrics; 0 where there is none."""
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def raw(self, request: bytes) -> bytes:
        """The answer to what no browser would send."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as line:
            line.sendall(request)
            return line.makefile("rb").read()

    def said(self, words: str, times: int = 1) -> str:
        """Its log, as soon as it holds these words so often."""
        until = time.monotonic() + PATIENCE
        while self.log.read_text().count(words) < times:
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        return self.log.read_text()


@contextlib.contextmanager
def served(folder: Path, config: str = "portal/gunicorn.py", **environment: str) -> Iterator[Served]:
    """Run it; in the end it is told to end."""
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
        told = Served(process, 0, log).said("Listening at: ")
        found = re.search(r"Listening at: .*:(\d+)", told)
        assert found
        yield Served(process, int(found[1]), log)
    except BaseException:
        print(log.read_text())  # pytest shows it beside the failure.
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
