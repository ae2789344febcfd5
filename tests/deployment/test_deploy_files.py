"""The files in deploy/ and the pages about running the portal match this version."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
import yaml
from django.core.management import get_commands

from portal.core import env
from tests.conftest import ROOT
from tests.deployment.test_settings import PRODUCTION
from tests.support.nginx import nginx
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.timeouts import PATIENCE

DEPLOY = ROOT / "deploy"
COMPOSE_TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
NAMES = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(each for each in DEPLOY.iterdir() if each.is_file()),
]
NODES = ("node1", "node2")
UNITS = ("portal@.service", "portal-worker.service")


def test_every_documented_setting_exists():
    names_by_file = {
        "production.md": re.findall(
            r"^([A-Z_]+)=.",
            "".join(re.findall(r"<<EOF\n(.+?)^EOF", production(), re.DOTALL | re.MULTILINE)),
            re.M,
        ),
        "compose.yaml": re.findall(r"^# +([A-Z_]+)=(?!\$\(openssl rand -hex)", COMPOSE_TEXT, re.MULTILINE),
        "Dockerfile": re.findall(r"(?:^ENV |^RUN |^RUN .*? )([A-Z_]+)=", DOCKERFILE, re.MULTILINE),
    }
    for file, names in names_by_file.items():
        assert names, file
        assert set(names) <= NAMES, file
    settings = {
        "SECRET_KEY",
        "ENCRYPTION_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "EMAIL_URL",
        "TRUSTED_PROXIES",
    }
    assert settings <= set(names_by_file["production.md"]) & set(names_by_file["compose.yaml"])


def require_programs(*programs: str) -> None:
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not on this machine.")


def production() -> str:
    return (ROOT / "docs" / "production.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_documented_command_exists(page):
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text()))
    assert named <= set(get_commands())


@pytest.mark.parametrize(
    "page", [DEPLOY / "Dockerfile", DEPLOY / "portal-run", *PAGES], ids=lambda path: path.name
)
def test_every_page_starts_the_server_alike(page):
    serve = "-c portal/gunicorn.py portal.wsgi"
    text = re.sub(r'", "', " ", page.read_text())
    for started in re.findall(r"-m gunicorn (.+?portal\.wsgi)", text):
        assert started == serve


def test_image_starts_the_server_as_an_unprivileged_user():
    assert re.search(r"^FROM python:[0-9.]+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.index("USER portal") < DOCKERFILE.index("\nCMD ")
    found = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert found
    assert json.loads(found[1])[:3] == ["python", "-m", "gunicorn"]


def test_containers_wait_for_migrations_and_share_one_image():
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "redis", "migrate", *NODES, "worker", "nginx"}
    for name in (*NODES, "worker"):
        assert services[name]["image"] == services["migrate"]["image"] == "portal"
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["pull_policy"] == "never"
    assert [name for name in services if "build" in services[name]] == ["migrate"]
    assert (DEPLOY / services["migrate"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / services["migrate"]["build"]["dockerfile"]).exists()


def test_containers_have_limits_pinned_images_and_health_checks():
    services = COMPOSE["services"]
    for name, service in services.items():
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name
        exact = r"[a-z]+:\d+\.\d+(\.\d+)?(-\w+)?"
        assert service["image"] == "portal" or re.fullmatch(exact, service["image"]), name
        if name not in ("migrate", "worker"):  # These end, or serve no requests.
            assert service.get("healthcheck", {}).get("test") or name in NODES, name
    for name in (*NODES, "worker", "migrate"):
        assert services[name]["mem_limit"]
        assert services[name]["pids_limit"]
    assert "HEALTHCHECK" in DOCKERFILE
    assert "./acme:/var/www/letsencrypt:ro" in services["nginx"]["volumes"]
    assert "root /var/www/letsencrypt;" in (DEPLOY / "nginx.conf.example").read_text()


def test_redis_container_requires_a_password_known_to_its_health_check():
    require_programs("redis-server", "redis-cli")
    service, password = COMPOSE["services"]["redis"], "a-password-for-the-tests"
    port = free_port()
    command = [part.replace("$$", "$") for part in service["command"]]
    command[-1] = command[-1].replace("appendonly no", f"appendonly no\nport {port}")
    environment = {**os.environ, "REDIS_PASSWORD": password}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        check = service["healthcheck"]["test"][1].replace("$$", "$")
        check = check.replace("redis-cli", f"redis-cli -p {port}")
        until = time.monotonic() + PATIENCE
        while subprocess.run(check, shell=True, env=environment, stderr=subprocess.DEVNULL).returncode:
            assert time.monotonic() < until
            time.sleep(0.1)
        wrong = {**environment, "REDIS_PASSWORD": "wrong"}
        assert subprocess.run(check, shell=True, env=wrong, stderr=subprocess.DEVNULL).returncode
        url = re.search(r"REDIS_URL=(\S+)", COMPOSE_TEXT)
        assert url
        own = url[1].replace("$REDIS_PASSWORD", password).replace("redis:6379", f"127.0.0.1:{port}")
        with redis.Redis.from_url(own) as node:
            assert node.ping()
            assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
        with redis.Redis(port=port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE)


def test_nginx_health_check_fails_when_nginx_is_down(tmp_path):
    require_programs("curl")
    check = COMPOSE["services"]["nginx"]["healthcheck"]["test"][1].replace("$$", "$")
    with nginx(tmp_path / "nginx", 9) as front:
        own = check.replace("127.0.0.1/", f"127.0.0.1:{front.plain}/")
        assert own != check
        assert subprocess.run(own, shell=True).returncode == 0
    assert subprocess.run(own, shell=True).returncode != 0


def test_nginx_in_compose_proxies_to_both_containers():
    line = re.search(r"sed .+nginx\.conf\.example(?= >)", COMPOSE_TEXT)
    assert line
    command_output = subprocess.run(
        line[0], shell=True, cwd=DEPLOY, capture_output=True, text=True, check=True
    ).stdout
    upstream = re.search(r"^upstream portal \{.+?^\}", command_output, re.DOTALL | re.MULTILINE)
    assert upstream
    assert re.findall(r"server (\S+) ", upstream[0]) == [f"{name}:8000" for name in NODES]
    assert "ENV BIND=0.0.0.0:8000" in DOCKERFILE


def test_image_contains_no_secrets():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", "deploy", ".git", "db.sqlite3*"} <= set(ignored)


def test_shell_scripts_have_valid_syntax():
    subprocess.run(["sh", "-n", str(DEPLOY / "portal-run")], check=True)
    for page in ("production", "backup", "upgrade", "operations"):
        text = (ROOT / "docs" / f"{page}.md").read_text()
        for block in re.findall(r"^ *```sh\n(.+?)^ *```", text, re.DOTALL | re.MULTILINE):
            shell = re.sub(r"^   ", "", block, flags=re.MULTILINE)
            subprocess.run(["bash", "-n"], input=shell, text=True, check=True)


def test_networked_redis_has_the_password_given_to_the_nodes(tmp_path, monkeypatch):
    section = production().partition("## More machines")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.+?)^```", section, re.DOTALL | re.MULTILINE)
    (tmp_path / "portal.env").write_text("REDIS_URL=redis://127.0.0.1:6379/0\n")
    shell = re.sub(r"^service .+$", "", block, flags=re.MULTILINE)
    for ours, own in {
        "/etc/redis/redis.conf": f"{tmp_path}/redis.conf",
        "/etc/portal.env": f"{tmp_path}/portal.env",
        "192.0.2.10": "127.0.0.1",
    }.items():
        assert ours in shell
        shell = shell.replace(ours, own)
    subprocess.run(["bash", "-e"], input=shell, text=True, check=True)
    name, _, value = (tmp_path / "portal.env").read_text().strip().partition("=")
    monkeypatch.setenv(name, value)
    url = env.secret(name)
    own_redis = RedisServer(tmp_path / "redis.conf")
    try:
        with redis.Redis.from_url(url.replace(":6379/", f":{own_redis.port}/")) as node:
            assert node.ping()
        with redis.Redis.from_url(own_redis.url) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
    finally:
        own_redis.stop()


def directives(unit: str) -> dict[str, str]:
    text = (DEPLOY / unit).read_text().partition("[Service]")[2].partition("\n[")[0]
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_settings_file_keeps_its_name():
    assert {directives(unit)["EnvironmentFile"] for unit in UNITS} == {"/etc/portal.env"}
    assert "cat > /etc/portal.env <<EOF" in production()
    assert "\n  env_file: portal.env\n" in COMPOSE_TEXT


def test_both_units_are_hardened_alike_and_have_limits():
    node, worker = (directives(unit) for unit in UNITS)
    own = {
        "Type",
        "NotifyAccess",
        "ExecStart",
        "ExecStartPre",
        "KillMode",
        "OOMPolicy",
        "MemoryMax",
        "TasksMax",
    }
    own |= {"Restart", "RestartSec", "TimeoutStartSec", "TimeoutStopSec"}
    assert {"MemoryMax", "TasksMax"} <= set(node) & set(worker)
    assert {name: value for name, value in node.items() if name not in own} == {
        name: value for name, value in worker.items() if name not in own
    }


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_rates_the_units_as_well_hardened(unit):
    require_programs("systemd-analyze")
    command = ["systemd-analyze", "security", "--offline=true", str(DEPLOY / unit)]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", report)
    assert level
    assert float(level[1]) < 2


def checked_at_start() -> str:
    found = re.search(r"manage\.py (check .+)", (ROOT / "Makefile").read_text().partition("\nserve:")[2])
    assert found
    return found[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_start_check_is_like_that_of_make_serve(page):
    for checked in re.findall(r"manage\.py (check --deploy[^`\"\n&]*)", page.read_text()):
        assert checked.strip() == checked_at_start()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ""),
        # A demonstration on this machine lacks only https.
        ({"SCHEME": "http"}, ""),
        ({"SECRET_KEY": "short"}, "security.W009"),
        ({"SECRET_KEY": "short", "SCHEME": "http"}, "security.W009"),
        ({"DEBUG": "True"}, "security.W018"),
    ],
)
def test_start_with_a_weak_setting_is_refused(environment, words):
    done = subprocess.run(
        [sys.executable, "manage.py", *checked_at_start().split()],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **PRODUCTION, **environment},
        capture_output=True,
        text=True,
    )
    assert (words in done.stderr, done.returncode == 0) == (True, not words), done.stderr


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==([^\s\\]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_lock_contains_the_requirements_with_hashes():
    """Fix with `make lock`."""
    packages = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)[1:]
    direct = [
        package for package in packages if "# via -r requirements.txt" in re.sub(r"\n +#  ", "", package)
    ]
    locked = pins("requirements.lock")
    assert {re.match(r"[a-z0-9-]+", package)[0] for package in direct} == set(pins("requirements.txt"))
    assert {name: locked[name] for name in pins("requirements.txt")} == pins("requirements.txt")
    assert all("--hash=sha256:" in package for package in packages)
    # Debian 12 has Python 3.11.2, whose redis needs one more package.
    assert re.search(
        r"^async-timeout==\S+ ; python_full_version < '3.11.3'", "\n".join(packages), re.MULTILINE
    )


def test_only_locked_packages_are_installed():
    for page in (ROOT / "Makefile", DEPLOY / "Dockerfile"):
        assert "--require-hashes -r requirements.lock" in page.read_text()
        assert "install -r requirements.txt" not in page.read_text()


def test_python_in_the_docs_imports_what_exists():
    code = "\n".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))
    imports = re.findall(r"from ((?:portal|accounts|billing)[\w.]*) import (\w+)", code)
    assert imports
    assert [each for each in imports if not hasattr(importlib.import_module(each[0]), each[1])] == []
