"""Start the simulator: `python -m portal.simulator --port 0` prints its addresses in one line and serves."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from portal.simulator import dialect, mailbox, schema, seed
from portal.simulator.server import Server
from portal.simulator.world import World


def main() -> int:
    arguments = parser().parse_args()
    try:
        world = World(start_dialect=start_dialect(arguments.dialect), start_seed=start_seed(arguments.seed))
        server = Server(world, arguments.port, verbose=arguments.verbose)
        world.base_url = f"http://127.0.0.1:{server.server_port}"
        seed.restart(world)
        smtp_port = mailbox.start_sink(world, arguments.smtp_port)
    except (schema.InvalidInput, OSError, OverflowError) as error:
        print(f"portal.simulator: {error}", file=sys.stderr)
        return 2
    serve(server, f"ready http={world.base_url} smtp=127.0.0.1:{smtp_port}", arguments.with_parent)
    return 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m portal.simulator", description="The stand-in carrier.")
    options.add_argument("--port", type=int, required=True, help="HTTP port on 127.0.0.1; 0 takes a free one")
    options.add_argument(
        "--smtp-port", type=int, default=0, help="SMTP port on 127.0.0.1; 0 (default) takes a free one"
    )
    options.add_argument(
        "--dialect", type=Path, help="JSON file that renames methods, parameters, results and codes"
    )
    options.add_argument(
        "--seed", type=Path, help="JSON file of partners and customers, on top of the built-in ones"
    )
    options.add_argument("--with-parent", action="store_true", help="end when standard input closes")
    options.add_argument("--verbose", action="store_true", help="log requests to standard error")
    return options


def start_dialect(file: Path | None) -> dialect.Dialect:
    return dialect.read(schema.from_json(file.read_bytes(), str(file))) if file else dialect.DEFAULT


def start_seed(file: Path | None) -> object:
    return schema.from_json(file.read_bytes(), str(file)) if file else None


def serve(server: Server, ready: str, with_parent: bool) -> None:
    stop = threading.Event()

    def handle_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handle_signal)
    signal.signal(signal.SIGINT, handle_signal)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="http").start()
    if with_parent:
        threading.Thread(target=wait_for_parent, args=(stop,), daemon=True, name="parent").start()
    print(ready, flush=True)
    stop.wait()
    # No request may wait in a fault while the process ends.
    server.world.clear_faults()
    server.shutdown()
    server.server_close()


def wait_for_parent(stop: threading.Event) -> None:
    """Wait for the end of standard input: the pipe closes whenever the parent process ends."""
    # Read without Python's buffers, whose lock must be free when the process ends.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
