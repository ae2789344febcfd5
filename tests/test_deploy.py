"""What stands in deploy/ and on the pages about running the portal is true of this version."""

import json
import re
import subprocess

import pytest
import redis
import yaml
from django.core.management import get_commands

from portal import env
from tests.conftest import ROOT
from tests.own_redis import OwnRedis

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


def test_every_setting_that_an_installation_gets_exists():
    given = {
        "production.md": re.findall(
            r"^([A-Z_]+)=.",
            "".join(re.findall(r"<<EOF\n(.+?)^EOF", production(), re.DOTALL | re.MULTILINE)),
            re.M,
        ),
        "compose.yaml": re.findall(r"^# +([A-Z_]+)=(?!\$\(openssl rand -hex)", COMPOSE_TEXT, re.MULTILINE),
        "Dockerfile": re.findall(r"(?:^ENV |^RUN |^RUN .*? )([A-Z_]+)=", DOCKERFILE, re.MULTILINE),
    }
    for where, names in given.items():
        assert names, where
        assert set(names) <= NAMES, where
    needed = {"SECRET_KEY", "ENCRYPTION_KEY", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "TRUSTED_PROXIES"}
    assert needed <= set(given["production.md"]) & set(given["compose.yaml"])


def production() -> str:
    return (ROOT / "docs" / "production.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(page):
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text()))
    assert named <= set(get_commands())


@pytest.mark.parametrize(
    "page", [DEPLOY / "Dockerfile", DEPLOY / "portal-run", *PAGES], ids=lambda path: path.name
)
def test_wherever_the_server_is_started_it_is_started_as_make_serve_does(page):
    serve = re.search(r"-m gunicorn (.+)", (ROOT / "Makefile").read_text())
    assert serve
    text = re.sub(r'", "', " ", page.read_text())
    for started in re.findall(r"-m gunicorn (.+?portal\.wsgi)", text):
        assert started == serve[1]


def test_the_image_starts_the_server_as_nobody_in_particular():
    assert re.search(r"^FROM python:[0-9.]+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.index("USER portal") < DOCKERFILE.index("\nCMD ")
    found = re.search(r"^CMD (\[.+\])$", DOCKERFILE, re.MULTILINE)
    assert found
    assert json.loads(found[1])[:3] == ["python", "-m", "gunicorn"]


def test_the_containers_wait_for_migrations_and_share_one_image():
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "redis", "migrate", *NODES, "tick", "nginx"}
    for name in (*NODES, "tick"):
        assert services[name]["image"] == services["migrate"]["image"] == "portal"
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert (DEPLOY / services["node1"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / services["node1"]["build"]["dockerfile"]).exists()
    assert all(
        re.fullmatch(r"[a-z]+:\d.*", services[name]["image"]) for name in ("postgres", "redis", "nginx")
    )


def test_nginx_leads_to_both_containers_by_the_line_in_the_file():
    line = re.search(r"sed .+nginx\.conf\.example(?= >)", COMPOSE_TEXT)
    assert line
    made = subprocess.run(line[0], shell=True, cwd=DEPLOY, capture_output=True, text=True, check=True).stdout
    upstream = re.search(r"^upstream portal \{.+?^\}", made, re.DOTALL | re.MULTILINE)
    assert upstream
    assert re.findall(r"server (\S+) ", upstream[0]) == [f"{name}:8000" for name in NODES]
    assert "ENV BIND=0.0.0.0:8000" in DOCKERFILE


def test_nothing_secret_gets_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", "deploy", ".git", "db.sqlite3*"} <= set(ignored)


def test_what_a_shell_runs_can_be_read_by_it():
    subprocess.run(["sh", "-n", str(DEPLOY / "portal-run")], check=True)
    for page in ("production", "backup", "upgrade"):
        text = (ROOT / "docs" / f"{page}.md").read_text()
        for block in re.findall(r"^ *```sh\n(.+?)^ *```", text, re.DOTALL | re.MULTILINE):
            shell = re.sub(r"^   ", "", block, flags=re.MULTILINE)
            subprocess.run(["bash", "-n"], input=shell, text=True, check=True)


def test_redis_on_a_network_has_the_password_that_the_nodes_are_given(tmp_path, monkeypatch):
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
    url = env.redis_url(name)
    own_redis = OwnRedis(tmp_path / "redis.conf")
    try:
        with redis.Redis.from_url(url.replace(":6379/", f":{own_redis.port}/")) as node:
            assert node.ping()
        with redis.Redis.from_url(own_redis.url) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        own_redis.stop()
