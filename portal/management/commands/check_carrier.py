"""`manage.py check_carrier SLUG [--account N]`: check a brand's connection to the carrier."""

import socket
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.brands.launch_checklist import get_checklist, with_checklist
from portal.carrier.connection_proof import check_connection
from portal.core.hosts import is_loopback
from portal.management.arguments import find_brand
from portal.models import Brand

_STATES = {"ok": "ok", "missing": "TO DO", "hint": "hint"}


class Command(BaseCommand):
    """Check a brand's connection to the carrier, and list what is left to do before it goes live."""

    help = "Ask the carrier for a balance, and say in words what is wrong. At the carrier it only reads."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The brand's short name.")
        parser.add_argument("--account", default="", metavar="N", help="Ask for this customer's balance too.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each call, then the launch checklist. Exit with status 1 if a call failed."""
        brand = find_brand(options["slug"])
        findings = check_connection(brand=brand, account_number=options["account"])
        for finding in findings:
            self.stdout.write(f"{finding.method}: {'ok' if finding.ok else 'FAILED'}. {finding.text}")
        self._print_readiness(brand)
        if not all(finding.ok for finding in findings):
            raise CommandError("the connection to the carrier does not work as it should.")

    def _print_readiness(self, brand: Brand) -> None:
        self.stdout.write("\nReady to go live:")
        brand = with_checklist(Brand.objects.defer("logo")).get(pk=brand.pk)
        for item in get_checklist(brand, _missing_in_dns(host.host for host in brand.hosts.all())):
            self.stdout.write(f"  {_STATES[item.state]}: {' '.join(filter(None, (item.text, item.todo)))}")


def _missing_in_dns(hosts: Iterable[str]) -> list[str]:
    """Return the hosts that do not exist according to DNS. Hosts for which the look-up fails are left out."""
    missing = []
    for host in hosts:
        try:
            if not is_loopback(host):
                socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
                missing.append(host)
        except UnicodeError:
            missing.append(host)
    return missing
