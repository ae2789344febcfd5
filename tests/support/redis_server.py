"""A Redis server for one test."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import redis

from tests.support.ports import free_port
from tests.support.timeouts import PATIENCE

HOW_TO_GET_IT = "redis-server is missing: `apt-get install redis-server`."


class RedisServer:
    """A Redis server that can be stopped, frozen and started again."""

    def __init__(self, *config: Path) -> None:
        self.program, self.port, self.config = shutil.which("redis-server"), free_port(), config
        if not self.program:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it listens."""
        options = [
            *map(str, self.config),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self.process = subprocess.Popen([str(self.program), *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, so that connections are refused."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE)

    def freeze(self) -> None:
        """Freeze it: it accepts connections and answers nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def unfreeze(self) -> None:
        """Let a frozen server continue."""
        os.kill(self.process.pid, signal.SIGCONT)

    def refuse(self, how: str) -> None:
        """Make it read-only: either "full", or a "replica" of another server."""
        with redis.Redis.from_url(self.url) as server:
            if how == "full":
                server.config_set("maxmemory", 1)
            else:
                server.replicaof("127.0.0.1", 1)

    def accept_writes(self) -> None:
        """Accept writes again."""
        with redis.Redis.from_url(self.url) as server:
            server.config_set("maxmemory", 0)
            server.replicaof("no", "one")
