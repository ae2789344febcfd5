"""The demo's environment variables: it must not use an installation's database, keys or mail server."""

import argparse
import logging
import os
import secrets
from pathlib import Path

HOME = Path(__file__).resolve().parents[2] / ".demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ports and folder, for the command and for `prepare_environment`, which runs before Django."""
    parser.add_argument("--port", type=int, default=8000, help="Port of the portal (default 8000).")
    parser.add_argument("--carrier-port", type=int, default=8090, help="Port of the stand-in carrier (8090).")
    parser.add_argument("--smtp-port", type=int, default=8025, help="Port of its mail server (8025).")
    parser.add_argument("--home", type=Path, default=HOME, help="Folder for its files (.demo).")


def prepare_environment(arguments: list[str]) -> None:
    """Set the demo's environment variables. They override the real environment and .env."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    options, _others = parser.parse_known_args(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "DEBUG": "False",
            "SCHEME": "http",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ENCRYPTION_KEY": secrets.token_urlsafe(32),
            "ADMIN_HOSTS": "admin.localhost",
            "DATABASE_URL": f"sqlite:///{options.home.resolve() / 'demo.sqlite3'}",
            "REDIS_URL": "",
            "EMAIL_URL": f"smtp://127.0.0.1:{options.smtp_port}",
            "TRUSTED_PROXIES": "0",
            "RECAPTCHA_URL": f"http://127.0.0.1:{options.carrier_port}/recaptcha",
            "BIND": f"127.0.0.1:{options.port}",
            "WEB_CONCURRENCY": "1",
            "WEB_THREADS": "16",
        }
    )


class WithoutStaticFiles(logging.Filter):
    """Drop log lines of requests for static files and for a brand's own files."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(vars(record).get("route")).startswith(("static", "brand_"))
