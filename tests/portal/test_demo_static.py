"""The demo collects static files only if one has changed: another server may be serving them."""

import os
from pathlib import Path
from typing import Any

import pytest

from portal.management.commands import demo


@pytest.mark.parametrize(("age", "collects"), [(None, True), (0, True), (2**40, False)])
def test_static_files_are_collected_if_any_is_newer(
    age: int | None, collects: bool, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIC_ROOT = tmp_path
    commands: list[str] = []
    monkeypatch.setattr(demo, "call_command", lambda name, **_: commands.append(name))
    if age is not None:
        manifest = tmp_path / "staticfiles.json"
        manifest.write_text("{}")
        os.utime(manifest, (age, age))
    demo._collect_static()
    assert commands == (["collectstatic"] if collects else [])
