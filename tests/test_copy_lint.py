"""The lint of texts finds what it is for."""

import pytest

from tests import copy_lint


def test_texts_avoid_the_listed_words():
    assert copy_lint.problems() == []


@pytest.mark.parametrize(
    "text", ["Your e-mail", "Please wait.", "It does not work", "Done; go on", "Your telephone"]
)
def test_word_to_avoid_is_reported(text, monkeypatch):
    monkeypatch.setattr(copy_lint, "texts", lambda: iter([("a.html", text)]))
    monkeypatch.setattr(copy_lint, "WAIVERS", {})
    assert copy_lint.problems() == [f"a.html: {text}"]


def test_long_sentence_of_a_customers_page_is_reported(monkeypatch):
    text = f"One. {'word ' * 23}, %(name)s."
    pages = ("templates/accounts/a.html", "templates/admin/a.html")
    monkeypatch.setattr(copy_lint, "texts", lambda: iter([(path, text) for path in pages]))
    monkeypatch.setattr(copy_lint, "WAIVERS", {})
    assert copy_lint.problems() == [f"{pages[0]}: a sentence of 25 words: {text}"]


def test_waiver_that_is_not_needed_is_reported(monkeypatch):
    monkeypatch.setattr(copy_lint, "WAIVERS", {**copy_lint.WAIVERS, "No such text; none": "old"})
    assert copy_lint.problems() == ["waiver not needed: No such text; none"]


def test_lint_reads_templates_and_modules():
    paths = {path for path, _text in copy_lint.texts()}
    assert {"templates/accounts/sign_up.html", "templates/admin/index.html"} <= paths
    assert {"accounts/services/outcomes.py", "portal/voipline/mapping.py"} <= paths
