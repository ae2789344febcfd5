"""`manage.py demo` as a newcomer starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from tests.conftest import ROOT


def _free_ports(count: int) -> list[str]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture
def demo(tmp_path: object) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    ports = _free_ports(3)
    options = [
        "--port",
        ports[0],
        "--carrier-port",
        ports[1],
        "--smtp-port",
        ports[2],
        "--home",
        str(tmp_path),
    ]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process, ports
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_tells_its_addresses_serves_them_and_leaves_nothing_behind(
    demo: tuple[subprocess.Popen[str], list[str]], ended_by: signal.Signals
) -> None:
    process, (port, carrier, _smtp) = demo
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Site key" in line:
            break
    told = "".join(lines)
    for address in (
        f"http://aurora.localhost:{port}/",
        f"http://borealis.localhost:{port}/",
        f"http://127.0.0.1:{carrier}/inbox/",
        f"http://admin.localhost:{port}/admin/",
        f"http://cirrus.localhost:{port}/",
    ):
        assert address in told, told
    for host, words in (("aurora.localhost", "Aurora Phone"), ("borealis.localhost", "Borealis Phone")):
        page = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": f"{host}:{port}"}, timeout=10)
        assert words in page.text
    assert requests.get(f"http://127.0.0.1:{carrier}/inbox/", timeout=10).ok
    assert "cirrus-api-key" in told
    period = {"from_date": "2024-01-01", "to_date": "2024-01-31"}
    third = requests.get(
        f"http://127.0.0.1:{carrier}/api/integration/v2/get-partner-balance",
        params=period,
        headers={"token": "cirrus-api-key"},
        timeout=10,
    )
    assert third.json()["code"] == 200
    process.send_signal(ended_by)
    assert process.wait(timeout=30) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{carrier}/inbox/", timeout=2)


def test_a_taken_port_is_named_with_the_way_out() -> None:
    (free,) = _free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [sys.executable, "manage.py", "demo", "--port", free, "--carrier-port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode != 0
    assert f"Port {port} is taken" in result.stderr
    assert "--carrier-port" in result.stderr
