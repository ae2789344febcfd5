"""nginx with the configuration from deploy/ and TLS, in front of one node or two; and its visitors."""

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
from tests.support.ports import free_port
from tests.support.timeouts import PATIENCE

HOW_TO_GET_IT = "nginx is missing: `apt-get install nginx-light`."
HOSTS = (AURORA, BOREALIS, ADMIN)
# What Debian's own nginx.conf sets around ours, and ours must not inherit.
AROUND = """
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
class Front:
    """A running nginx."""

    folder: Path
    tls: int
    plain: int

    @property
    def logs(self) -> str:
        """All that it has written anywhere."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def logged(self, text: str) -> str:
        """The same, as soon as it holds this: the line is written after the answer."""
        until = time.monotonic() + PATIENCE
        while text not in self.logs and time.monotonic() < until:
            time.sleep(0.02)
        assert text in self.logs
        return self.logs


def certify(folder: Path) -> None:
    """A certificate for all hosts that signs itself, and its key."""
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


def adapted(name: str, changes: dict[str, str]) -> str:
    """A shipped file with other names, ports and paths; IPv6 is left out, which not every machine has."""
    text = re.sub(r"^ *listen \[::\]:.*\n", "", (ROOT / "deploy" / name).read_text(), flags=re.MULTILINE)
    for ours, own in changes.items():
        assert ours in text, f"deploy/{name} no longer holds {ours!r}"
        text = text.replace(ours, own)
    return text


@contextlib.contextmanager
def nginx(
    folder: Path, first: int, second: int = 0, spoilt: Mapping[str, str] | None = None
) -> Iterator[Front]:
    """Run it in the foreground with the shipped configuration, in a folder and on ports of its own.

    In front of two nodes, or of one that is entered twice. `spoilt`: what the configuration says otherwise,
    to see that a test notices.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not program:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
    folder.mkdir()
    certify(folder)
    front = Front(folder, free_port(), free_port())
    tls = {"/etc/nginx/snippets/portal-tls.conf": f"{folder}/tls.conf"}
    logs = {"/var/log/nginx": str(folder)}
    files = {
        "portal.conf": adapted(
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
        "proxy.conf": adapted("nginx.proxy.conf", {**tls, **logs}),
        "tls.conf": adapted("nginx.tls.conf", {}),
        "nginx.conf": AROUND.replace("FOLDER", str(folder)),
    }
    for ours, own in (spoilt or {}).items():
        assert any(ours in text for text in files.values()), f"deploy/ no longer holds {ours!r}"
        files = {name: text.replace(ours, own) for name, text in files.items()}
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/start.log"]
    with (folder / "said.log").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
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
def raw(front: Front, host: str = AURORA, source: str = "127.0.0.1") -> Iterator[ssl.SSLSocket]:
    """A TLS connection, to write on it what no browser would."""
    context = ssl.create_default_context(cafile=str(front.folder / "fullchain.pem"))
    with (
        socket.create_connection(("127.0.0.1", front.tls), PATIENCE, (source, 0)) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        yield tls


class FromAddress(HTTPAdapter):
    """Connects from an address of its own; all of 127.0.0.0/8 is this machine."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, source_address=(self.address, 0))


class Visitor:
    """A browser without a screen, at the ports 80 and 443 of the hosts: it sends what a browser sends."""

    patience = PATIENCE

    def __init__(self, site: Front, address: str, host: str) -> None:
        self.host = host
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(site.folder / "fullchain.pem")
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, FromAddress(address))

    def open(self, path: str, scheme: str = "https", **headers: str) -> requests.Response:
        """GET a page, following nothing."""
        url = f"{scheme}://{self.host}{path}"
        return self.session.get(url, headers=headers, allow_redirects=False, timeout=self.patience)

    def post(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Send what a form holds, its hidden fields too."""
        url = f"https://{self.host}{path}"
        seen = {"Origin": f"https://{self.host}", "Referer": url, **headers}
        return self.session.post(url, data=data, headers=seen, allow_redirects=False, timeout=self.patience)

    def send(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Open the page of a form, fill it in and send it."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.open(path).text)
        assert found
        return self.post(path, {"csrfmiddlewaretoken": found[1], **data}, **headers)


@contextlib.contextmanager
def leading(front: Front) -> Iterator[None]:
    """Makes the ports 80 and 443 of all hosts those of an nginx; names, SNI and Host stay what they are."""
    connect, ports = urllib3.util.connection.create_connection, {80: front.plain, 443: front.tls}

    def connect_here(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        host, port = address
        return connect(("127.0.0.1", ports[port]) if host in HOSTS else address, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.util.connection, "create_connection", connect_here)
        yield


def code_from(carrier: Simulator, email: str) -> str:
    """The sign-in code in the newest mail."""
    found = re.search(r"\b[0-9]{8}\b", carrier.mails(email)[-1]["text"])
    assert found
    return found[0]
