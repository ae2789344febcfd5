"""House rules: import directions, required docstrings, pinned requirements, and templates."""

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

# Shown when no brand, and so no language, is known.
UNTRANSLATED = {"templates/unknown_host.html"}
# An email client fetches no style sheet, so an email contains its styles; emails have no CSP.
STYLED_MAILS = ("templates/mail",)


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def imports(path: Path) -> Iterator[str]:
    """Yield every module a file imports, anywhere in it, and the imported names."""
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
    """Return the layer a dotted name belongs to; empty for other packages."""
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


# The packages of each app, lowest first: none imports a later one. Names not separated by a bar are on one
# level and may import each other. Modules not listed (settings, apps, checks, URL tables, commands) may
# import all of their app.
PACKAGES = {
    "portal": "voipline | simulator | i18n | core | security | models | web | monitoring | resilience"
    " | jobs | carrier | mail | captcha | brands | preview | admin | middleware",
    "accounts": "validators | models | fields | services sign_in | forms | customer_import | views"
    " | staff | admin",
    "billing": "triggers episodes | models | statements | transfers | alerts | views | admin",
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
def test_carrier_client_and_simulator_do_not_import_django(own):
    folder = own.replace(".", "/")
    named = {name for path in MODULES if path.is_relative_to(folder) for name in imports(path)}
    assert not any(name.split(".")[0] == "django" for name in named)


def test_simulator_imports_only_the_standard_library():
    outside = {
        name
        for path in MODULES
        if path.is_relative_to("portal/simulator")
        for name in imports(path)
        if name.split(".")[0] not in sys.stdlib_module_names and layer(name) != "portal.simulator"
    }
    assert outside == set()


@pytest.mark.parametrize("module", ["portal.voipline", "portal.simulator.server"])
def test_module_loads_without_django(module):
    other = {"portal.voipline": "portal.simulator", "portal.simulator.server": "portal.voipline"}[module]
    code = (
        f"import sys, {module}; "
        f"print([n for n in sys.modules if n.split('.')[0] == 'django' or n.startswith({other!r})])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


# Docstrings and requirements


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=str)
def test_every_module_has_a_docstring(path):
    assert ast.get_docstring(tree(path)), path


def test_every_public_class_and_function_has_a_docstring():
    undocumented = [
        f"{path}:{node.name}"
        for path in MODULES
        if not path.is_relative_to("portal/simulator") and not path.is_relative_to("portal/voipline")
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert undocumented == []


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned(file):
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
    pinned = [line for line in lines if line and line != "-r requirements.txt"]
    assert pinned
    assert [
        line for line in pinned if not re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z]+\])?==[0-9][0-9.a-z]*", line)
    ] == []


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_lock_contains_the_requirements_with_hashes(name):
    required = set(
        re.findall(r"^([a-z0-9-]+)(?:\[[a-z]+\])?==(\S+)", (ROOT / f"{name}.txt").read_text(), re.M)
    )
    lock = (ROOT / f"{name}.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", lock)
    locked = {re.match(r"([a-z0-9-]+)(?:\[[a-z]+\])?==([^\s;]+)", block) for block in blocks if "==" in block}
    assert required <= {(found[1], found[2]) for found in locked if found}
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)


# Private names of Django and other libraries may change without notice

# Public by documentation or convention, although they begin with an underscore.
PUBLIC = {"_meta", "_base_manager", "_replace", "_store"}


def private_names(path: Path) -> Iterator[str]:
    """Yield each name with one leading underscore that is used as an attribute or in a string."""
    for node in ast.walk(tree(path)):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", "")
        if isinstance(name, str) and re.fullmatch(r"_[a-z](\w*[a-z0-9])?", name):
            yield name


def defined_names(path: Path) -> Iterator[str]:
    """Yield each name a file defines: functions, classes, variables and attributes of self."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield from [node.attr] if getattr(node.value, "id", "") in ("self", "cls") else []


def test_no_private_names_of_libraries_are_used():
    own = {name for path in MODULES for name in defined_names(path)}
    foreign = [(str(path), name) for path in MODULES for name in private_names(path) if name not in own]
    assert {each for each in foreign if each[1] not in PUBLIC} == set()


def test_use_of_a_private_name_is_found(tmp_path):
    (tmp_path / "one.py").write_text(
        "class A:\n    def _own(self): self._mine = x._theirs = getattr(x, '_said')\n"
    )
    path = tmp_path / "one.py"
    assert set(private_names(path)) - set(defined_names(path)) == {"_theirs", "_said"}


def test_no_handwritten_sql_compiler_and_no_page_parsing_by_regex():
    for path in MODULES:
        text = (ROOT / path).read_text()
        assert "get_compiler" not in text, path
        assert not re.search(r"re\.\w+\([^)]*\.content|\.sub\([^)]*\.content", text), path


# Templates


@pytest.mark.parametrize("path", [path for path in TEMPLATES if path.suffix == ".html"], ids=str)
def test_templates_have_no_inline_script_style_or_handler(path):
    text = (ROOT / path).read_text()
    assert not re.search(r"\son[a-z]+\s*=|javascript:", text, re.IGNORECASE)
    if not any(path.is_relative_to(folder) for folder in STYLED_MAILS):
        assert not re.search(r"<style|\sstyle\s*=", text, re.IGNORECASE)
    for tag, content in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.IGNORECASE | re.DOTALL):
        assert "src=" in tag
        assert not content.strip()


def untranslated_words(text: str) -> list[str]:
    """Return the words in a template outside of translate and blocktranslate."""
    text = re.sub(
        r"{% blocktranslate.*?{% endblocktranslate %}|{% comment.*?{% endcomment %}",
        "",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(r"{% block (width|bodyclass|coltype) %}.*?{% endblock %}", "", text)
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", text, flags=re.DOTALL)
    attributes = re.findall(r'\s(?:alt|title|aria-label|placeholder)="([^"]*)"', text)
    text = re.sub(r"<!--.*?-->|<script.*?</script>|<[^>]*>", " ", text, flags=re.DOTALL)
    return re.findall(r"[^\W\d_]{2,}", html.unescape(" ".join([text, *attributes])))


def test_untranslated_words_are_found():
    assert untranslated_words('<p title="Hi you">{% translate "x" %} Hello {{ name }}</p>') == [
        "Hello",
        "Hi",
        "you",
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_every_word_of_a_template_is_translatable(path):
    text = (ROOT / path).read_text()
    # URL paths are not text.
    text = re.sub(r"}}[a-z/-]+/", "}}", text)
    assert (untranslated_words(text) != []) is (str(path) in UNTRANSLATED)
