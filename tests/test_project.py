"""The house rules: which way imports run, how long things may be, what templates may hold."""

import ast
import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    path.relative_to(ROOT)
    for app in ("portal", "accounts", "billing")
    for path in (ROOT / app).rglob("*.py")
    if "migrations" not in path.parts
)
TEMPLATES = sorted(path.relative_to(ROOT) for path in (ROOT / "templates").rglob("*") if path.is_file())

# Shown where no brand, and so no language, is known.
UNTRANSLATED = {"templates/unknown_host.html"}
# A mail client fetches no style sheet, so a mail brings its style along; no page, and so no policy, has it.
STYLED_MAILS = ("templates/mail",)


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in it, with the names taken from it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


LAYERS = {
    "portal.voipline": set(),
    "portal.simulator": set(),
    "portal": {"portal.voipline"},
    "accounts": {"portal.voipline", "portal"},
    "billing": {"portal.voipline", "portal", "accounts"},
}


def layer(name: str) -> str:
    """The layer a dotted name belongs to; empty where it is not ours."""
    return next((each for each in LAYERS if name == each or name.startswith(f"{each}.")), "")


def knows_every_app(path: Path) -> bool:
    named = path.name in ("settings.py", "wsgi.py", "gunicorn.py") or path.parts[1].startswith("urls")
    return named or path.parts[1:3] == ("management", "commands")


@pytest.mark.parametrize("own", LAYERS)
def test_imports_run_one_way(own):
    files = [path for path in MODULES if layer(".".join(path.with_suffix("").parts)) == own]
    assert files
    wrong = [
        f"{path} imports {name}"
        for path in files
        for name in imports(path)
        if not knows_every_app(path) and layer(name) not in {"", own, *LAYERS[own]}
    ]
    assert wrong == []


def test_no_app_names_a_url_of_a_higher_app():
    higher = {"portal": "accounts|billing|billing_admin", "accounts": "billing|billing_admin"}
    named = [
        f"{path}: {found}"
        for path in MODULES
        if path.parts[0] in higher and not knows_every_app(path)
        for found in re.findall(rf"[\"'](?:{higher[path.parts[0]]}):\w+", (ROOT / path).read_text())
    ]
    assert named == []


# The packages of each app, the lowest first: none imports one that follows it. Those with no bar between them
# know each other. What is not named (settings, apps, checks, URL tables, commands) knows all of its app.
PACKAGES = {
    "portal": "voipline | simulator | i18n | core | security | models | web | monitoring | resilience"
    " | carrier | mail | captcha | brands | preview | admin | middleware",
    "accounts": "validators | models | fields | services sign_in | forms | customer_import | views"
    " | staff | admin",
    "billing": "triggers | models | statements | transfers | views | admin",
}


@pytest.mark.parametrize("app", PACKAGES)
def test_packages_of_an_app_import_one_way(app):
    level = {
        f"{app}.{name}": nth for nth, names in enumerate(PACKAGES[app].split("|")) for name in names.split()
    }
    package = {path: ".".join(path.with_suffix("").parts[:2]) for path in MODULES if path.parts[0] == app}
    assert set(level) <= set(package.values())
    upward = [
        f"{path} imports {name}"
        for path, own in package.items()
        for name in imports(path)
        if level.get(".".join(name.split(".")[:2]), -1) > level.get(own, len(level))
    ]
    assert upward == []


@pytest.mark.parametrize("own", ["portal.voipline", "portal.simulator"])
def test_the_carriers_client_and_its_stand_in_name_no_django(own):
    folder = own.replace(".", "/")
    named = {name for path in MODULES if path.is_relative_to(folder) for name in imports(path)}
    assert not any(name.split(".")[0] == "django" for name in named)


def test_the_simulator_needs_the_standard_library_alone():
    outside = {
        name
        for path in MODULES
        if path.is_relative_to("portal/simulator")
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and layer(name) != "portal.simulator"
    }
    assert outside == set()


@pytest.mark.parametrize("module", ["portal.voipline", "portal.simulator.server"])
def test_a_fresh_interpreter_loads_no_django_for(module):
    other = {"portal.voipline": "portal.simulator", "portal.simulator.server": "portal.voipline"}[module]
    code = (
        f"import sys, {module}; "
        f"print([n for n in sys.modules if n.split('.')[0] == 'django' or n.startswith({other!r})])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


# What reads well


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=str)
def test_a_module_says_what_it_is_for(path):
    assert ast.get_docstring(tree(path)), path


def test_a_public_class_or_function_of_the_apps_says_what_it_does():
    silent = [
        f"{path}:{node.name}"
        for path in MODULES
        if not path.is_relative_to("portal/simulator") and not path.is_relative_to("portal/voipline")
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned(file):
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    wanted = [line for line in lines if line and line != "-r requirements.txt"]
    assert wanted
    assert [
        line for line in wanted if not re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z]+\])?==[0-9][0-9.a-z]*", line)
    ] == []


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_a_lock_holds_what_is_asked_for_and_a_hash_of_each_file(name):
    asked = set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)", (ROOT / f"{name}.txt").read_text(), re.M))
    lock = (ROOT / f"{name}.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", lock)
    locked = {re.match(r"([a-z0-9-]+)(?:\[[a-z]+\])?==([^\s;]+)", block) for block in blocks if "==" in block}
    assert asked <= {(found[1], found[2]) for found in locked if found}
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


# What Django and other libraries may change without a word

# Public by their documentation or by habit, although they begin like private ones.
PUBLIC = {"_meta", "_base_manager", "_replace", "_store"}


def private_names(path: Path) -> Iterator[str]:
    """Each name with one underscore that is read or written on something, or named in a text."""
    for node in ast.walk(tree(path)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", "")
        if isinstance(name, str) and re.fullmatch(r"_[a-z](\w*[a-z0-9])?", name):
            yield name


def own_names(path: Path) -> Iterator[str]:
    """Each name that a file defines: functions, classes, variables and what objects of its classes hold."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from [node.attr] if getattr(node.value, "id", "") in ("self", "cls") else []


def test_nothing_uses_the_private_parts_of_a_library():
    own = {name for path in MODULES for name in own_names(path)}
    foreign = [(str(path), name) for path in MODULES for name in private_names(path) if name not in own]
    assert {each for each in foreign if each[1] not in PUBLIC} == set()


def test_private_parts_are_found(tmp_path):
    (tmp_path / "one.py").write_text(
        "class A:\n    def _own(self): self._mine = x._theirs = getattr(x, '_said')\n"
    )
    path = tmp_path / "one.py"
    assert set(private_names(path)) - set(own_names(path)) == {"_theirs", "_said"}


def test_no_query_is_composed_and_no_page_is_searched_by_hand():
    for path in MODULES:
        text = (ROOT / path).read_text()
        assert "get_compiler" not in text, path
        assert not re.search(r"re\.\w+\([^)]*\.content|\.sub\([^)]*\.content", text), path


# Templates


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.suffix == ".html"], ids=str)
def test_a_template_holds_no_inline_script_style_or_handler(path):
    text = (ROOT / path).read_text()
    assert not re.search(r"\son[a-z]+\s*=|javascript:", text, re.IGNORECASE)
    if not any(path.is_relative_to(folder) for folder in STYLED_MAILS):
        assert not re.search(r"<style|\sstyle\s*=", text, re.IGNORECASE)
    for tag, content in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.IGNORECASE | re.DOTALL):
        assert "src=" in tag
        assert not content.strip()


def bare_words(text: str) -> list[str]:
    """Words for people that stand in a template outside of translate and blocktranslate."""
    text = re.sub(
        r"{% blocktranslate.*?{% endblocktranslate %}|{% comment.*?{% endcomment %}",
        "",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(r"{% block (width|bodyclass|coltype) %}.*?{% endblock %}", "", text)
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", text, flags=re.DOTALL)
    said = re.findall(r'\s(?:alt|title|aria-label|placeholder)="([^"]*)"', text)
    text = re.sub(r"<!--.*?-->|<script.*?</script>|<[^>]*>", " ", text, flags=re.DOTALL)
    return re.findall(r"[^\W\d_]{2,}", html.unescape(" ".join([text, *said])))


def test_bare_words_are_found():
    assert bare_words('<p title="Hi you">{% translate "x" %} Hello {{ name }}</p>') == ["Hello", "Hi", "you"]


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_every_word_of_a_template_can_be_translated(path):
    text = (ROOT / path).read_text()
    # Addresses are no words.
    text = re.sub(r"}}[a-z/-]+/", "}}", text)
    assert (bare_words(text) != []) is (str(path) in UNTRANSLATED)
