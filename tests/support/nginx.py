"""nginx with the configuration from deploy/ and TLS, in front of one node or two; and visitors for it."""

import contextlib
import datetime
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.util.connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter

from tests.conftest import ADMIN, AURORA, BOREALIS, ROOT, Simulator
from tests.support.emailed_code import find_code
from tests.support.ports import free_port
from tests.support.timeouts import PATIENCE

HOW_TO_GET_IT = "nginx is missing: `apt-get install nginx-light`."
HOSTS = (AURORA, BOREALIS, ADMIN)
# Debian's nginx.conf around ours, whose settings ours must not inherit.
OUTER_CONFIG = """
daemon off;
user root; # Where root runs the tests, the folder is its own; others are asked to ignore this line.
pid FOLDER/nginx.pid;
error_log FOLDER/around.error.log;
events { worker_connections 512; }
http {
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    access_log FOLDER/around.access.log;
    gzip on;
    # For tests alone: which node answered.
    add_header X-Node $upstream_addr always;
    include FOLDER/portal.conf;
}
"""


@dataclass(frozen=True)
class NginxServer:
    """A running nginx."""

    folder: Path
    tls: int
    plain: int

    @property
    def logs(self) -> str:
        """Everything it has logged."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def wait_for_log(self, text: str) -> str:
        """Wait until the logs contain this text, and return them: the line is written after the response."""
        until = time.monotonic() + PATIENCE
        while text not in self.logs and time.monotonic() < until:
            time.sleep(0.02)
        assert text in self.logs
        return self.logs


def certify(folder: Path) -> None:
    """Write a self-signed certificate for all hosts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AURORA)])
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    unsigned = unsigned.not_valid_before(now - day).not_valid_after(now + day).add_extension(names, False)
    unsigned = unsigned.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    certificate = unsigned.sign(key, hashes.SHA256())
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))


def adapt(name: str, changes: dict[str, str]) -> str:
    """Return a shipped file with other names, ports and paths; without IPv6, which not every machine has."""
    text = re.sub(r"^ *listen \[::\]:.*\n", "", (ROOT / "deploy" / name).read_text(), flags=re.MULTILINE)
    for original, replacement in changes.items():
        assert original in text, f"deploy/{name} no longer holds {original!r}"
        text = text.replace(original, replacement)
    return text


@contextlib.contextmanager
def nginx(
    folder: Path, first: int, second: int = 0, replacements: Mapping[str, str] | None = None
) -> Iterator[NginxServer]:
    """Run nginx in the foreground with the shipped configuration, in its own folder and on free ports.

    In front of two nodes, or of one that is entered twice. `replacements` change the configuration, to check
    that a test notices.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not program:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    folder.mkdir()
    certify(folder)
    front = NginxServer(folder, free_port(), free_port())
    tls = {"/etc/nginx/snippets/portal-tls.conf": f"{folder}/tls.conf"}
    logs = {"/var/log/nginx": str(folder)}
    files = {
        "portal.conf": adapt(
            "nginx.conf.example",
            {
                "portal.aurora.example portal.borealis.example": f"{AURORA} {BOREALIS}",
                "admin.portal.example": ADMIN,
                "listen 443 ": f"listen 127.0.0.1:{front.tls} ",
                "listen 80": f"listen 127.0.0.1:{front.plain}",
                "/etc/nginx/portal": str(folder),
                "127.0.0.1:8001": f"127.0.0.1:{first}",
                "127.0.0.1:8002": f"127.0.0.1:{second or first}",
                "/etc/nginx/snippets/portal.conf": f"{folder}/proxy.conf",
                **tls,
                **logs,
            },
        ),
        "proxy.conf": adapt("nginx.proxy.conf", {**tls, **logs}),
        "tls.conf": adapt("nginx.tls.conf", {}),
        "nginx.conf": OUTER_CONFIG.replace("FOLDER", str(folder)),
    }
    for original, replacement in (replacements or {}).items():
        assert any(original in text for text in files.values()), f"deploy/ no longer holds {original!r}"
        files = {name: text.replace(original, replacement) for name, text in files.items()}
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/start.log"]
    with (folder / "said.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            until = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < until:
                with contextlib.suppress(ConnectionError):
                    socket.create_connection(("127.0.0.1", front.tls), 1).close()
                    break
                time.sleep(0.02)
            assert process.poll() is None, front.logs
            yield front
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


@contextlib.contextmanager
def raw(front: NginxServer, host: str = AURORA, source: str = "127.0.0.1") -> Iterator[ssl.SSLSocket]:
    """Open a TLS connection, for requests no browser would send."""
    context = ssl.create_default_context(cafile=str(front.folder / "fullchain.pem"))
    with (
        socket.create_connection(("127.0.0.1", front.tls), PATIENCE, (source, 0)) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        yield tls


class FromAddress(HTTPAdapter):
    """Connects from a given address; all of 127.0.0.0/8 is this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, source_address=(self.address, 0))


class Visitor:
    """A browser without a display, on the ports 80 and 443 of the hosts: it sends what a browser sends."""

    patience = PATIENCE

    def __init__(self, site: NginxServer, address: str, host: str) -> None:
        self.host = host
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(site.folder / "fullchain.pem")
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, FromAddress(address))

    def open(self, path: str, scheme: str = "https", **headers: str) -> requests.Response:
        """GET a page without following redirects."""
        url = f"{scheme}://{self.host}{path}"
        return self.session.get(url, headers=headers, allow_redirects=False, timeout=self.patience)

    def post(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Send form data, hidden fields included."""
        url = f"https://{self.host}{path}"
        all_headers = {"Origin": f"https://{self.host}", "Referer": url, **headers}
        return self.session.post(
            url, data=data, headers=all_headers, allow_redirects=False, timeout=self.patience
        )

    def send(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Open the page of a form, fill it in and send it."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.open(path).text)
        assert found
        return self.post(path, {"csrfmiddlewaretoken": found[1], **data}, **headers)


@contextlib.contextmanager
def hosts_redirected_to(front: NginxServer) -> Iterator[None]:
    """Connect the ports 80 and 443 of all hosts to an nginx; names, SNI and Host are unchanged."""
    connect, ports = urllib3.util.connection.create_connection, {80: front.plain, 443: front.tls}

    def connect_to_nginx(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        host, port = address
        return connect(("127.0.0.1", ports[port]) if host in HOSTS else address, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.util.connection, "create_connection", connect_to_nginx)
        yield


def code_from(carrier: Simulator, email: str) -> str:
    """Return the sign-in code in the newest email."""
    return find_code(carrier.mails(email)[-1]["text"])
