"""`manage.py demo`: starts as documented, and leaves nothing however it ends."""

import os
import pty
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from tests.conftest import ROOT
from tests.support.ports import free_port, is_free
from tests.support.timeouts import PATIENCE

# Signals as a shell sets them for a background job (`&`) and nohup.
IGNORING_SIGNALS = ("sh", "-c", 'trap "" INT TERM HUP; exec "$@"', "sh")


@dataclass(frozen=True)
class Demo:
    """A started process, which may be a parent of the demo."""

    process: subprocess.Popen[str]
    ports: list[int]

    def read_output(self) -> str:
        """Return its output until it is ready."""
        lines = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(" ") and "staff of Aurora" in line:
                break
        return "".join(lines)

    def wait_until_ports_are_free(self) -> None:
        """Wait until all of its ports are free."""
        until = time.monotonic() + PATIENCE
        while taken := [port for port in self.ports if not is_free(port)]:
            assert time.monotonic() < until, f"still taken: {taken} of {self.ports}"
            time.sleep(0.1)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Start a demo on free ports; `command` gets its options."""
    started: list[Demo] = []

    def make(command: Callable[[list[str]], list[str]], stdin: int = subprocess.DEVNULL) -> Demo:
        ports = [free_port() for _ in range(3)]
        named = zip(("--port", "--carrier-port", "--smtp-port"), ports, strict=True)
        options = [part for name, port in named for part in (name, str(port))]
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        process = subprocess.Popen(
            command([*options, "--home", str(tmp_path)]),
            cwd=ROOT,
            env={**environment, "TMPDIR": str(tmp_path)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Demo(process, ports))
        return started[-1]

    yield make
    for demo in started:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)
        demo.wait_until_ports_are_free()
        demo.process.communicate(timeout=PATIENCE)


def demo_command(options: list[str]) -> list[str]:
    return [sys.executable, "manage.py", "demo", *options]


def test_second_demo_in_the_same_folder_refuses_to_start(start):
    first = start(demo_command)
    first.read_output()
    second = start(demo_command)
    output, _ = second.process.communicate(timeout=PATIENCE)
    assert second.process.returncode
    assert "choose another folder with --home" in output
    address = f"http://127.0.0.1:{first.ports[0]}/"
    headers = {"Host": f"aurora.localhost:{first.ports[0]}"}
    assert requests.get(address, headers=headers, timeout=PATIENCE).ok


def test_demo_prints_its_urls_and_serves_them(start):
    demo = start(demo_command)
    port, carrier, _smtp = demo.ports
    output = demo.read_output()
    for address in (
        f"http://aurora.localhost:{port}/",
        f"http://borealis.localhost:{port}/",
        f"http://127.0.0.1:{carrier}/inbox/",
        f"http://admin.localhost:{port}/admin/",
        f"http://cirrus.localhost:{port}/",
    ):
        assert address in output, output
    for host, words in (("aurora.localhost", "Aurora Phone"), ("borealis.localhost", "Borealis Phone")):
        page = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": f"{host}:{port}"}, timeout=PATIENCE)
        assert words in page.text
    assert requests.get(f"http://127.0.0.1:{carrier}/inbox/", timeout=PATIENCE).ok
    assert "cirrus-api-key" in output
    period = {"from_date": "2024-01-01", "to_date": "2024-01-31"}
    third = requests.get(
        f"http://127.0.0.1:{carrier}/api/integration/v2/get-partner-balance",
        params=period,
        headers={"token": "cirrus-api-key"},
        timeout=PATIENCE,
    )
    assert third.json()["code"] == 200
    assert Decimal(third.json()["data"]["closing_balance"]) == 1250
    # What is needed most comes last.
    assert output.splitlines()[-1].strip().startswith("sam@example.com")
    assert output.index("cirrus-site-key") < output.index("http://aurora.localhost")


def test_demo_brands_are_ready_and_a_page_logs_one_line(start, tmp_path):
    demo = start(demo_command)
    demo.read_output()
    (database,) = tmp_path.glob("demo.sqlite3")
    with sqlite3.connect(database) as file:
        proven = file.execute(
            "SELECT slug, carrier_proven_for <> '', mail_tested_at FROM portal_brand"
        ).fetchall()
    assert [(slug, works) for slug, works, tested in proven if tested] == [("aurora", 1), ("borealis", 1)]
    ask = {"headers": {"Host": f"aurora.localhost:{demo.ports[0]}"}, "timeout": PATIENCE}
    for path in ("/static/css/portal.css", "/brand.css", "/static/none.js", "/sign-in/"):
        requests.get(f"http://127.0.0.1:{demo.ports[0]}{path}", **ask)
    demo.process.send_signal(signal.SIGINT)
    output, _ = demo.process.communicate(timeout=PATIENCE)
    lines = [line for line in output.splitlines() if "portal.monitoring.middleware" in line]
    assert ["route=accounts:sign_in" in line for line in lines] == [True]


def test_enter_prints_the_urls_again(start, tmp_path):
    ours, theirs = pty.openpty()

    def on_a_terminal(options):
        return ["setsid", "--ctty", "--wait", *demo_command(options)]

    demo = start(on_a_terminal, stdin=theirs)
    os.close(theirs)
    first = demo.read_output()
    os.write(ours, b"\n")
    second = demo.read_output()
    os.close(ours)
    assert second.strip() in first
    assert f"http://aurora.localhost:{demo.ports[0]}/" in second


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_ends_on_a_signal_even_if_the_shell_ignored_it(start, tmp_path, ended_by):
    demo = start(lambda options: [*IGNORING_SIGNALS, *demo_command(options)])
    demo.read_output()
    demo.process.send_signal(ended_by)
    assert demo.process.wait(timeout=PATIENCE) == 0
    assert all(is_free(port) for port in demo.ports)  # It has waited for its children.
    assert list(tmp_path.glob("portal-node-metrics-*")) == []


def test_killed_demo_ends_its_children(start):
    demo = start(demo_command)
    demo.read_output()
    demo.process.kill()
    demo.wait_until_ports_are_free()


def test_demo_ends_with_the_make_that_started_it(start):
    if not shutil.which("make"):
        pytest.skip("make is missing")
    # The dependencies of `make install` are present, since these tests run.
    make = ["make", "-o", "install", f"BIN={Path(sys.executable).parent}", "demo"]
    demo = start(lambda options: [*make, f"ARGS={' '.join(options)}"])
    demo.read_output()
    demo.process.kill()
    demo.wait_until_ports_are_free()


def test_port_in_use_is_reported_with_a_remedy() -> None:
    free = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [sys.executable, "manage.py", "demo", "--port", str(free), "--carrier-port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert result.returncode != 0
    assert f"Port {port} is taken" in result.stderr
    assert "--carrier-port" in result.stderr
