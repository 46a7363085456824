"""tools/audit.py: a package that nobody could be asked about is never called safe."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    """Load the tool; tools/ is no package."""
    path = Path(__file__).resolve().parents[2] / "tools" / "audit.py"
    spec = importlib.util.spec_from_file_location("indimail_kit_audit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


SAFE = {"name": "click", "version": "8.5.1", "vulns": []}
UNSAFE = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-2000-1", "fix_versions": ["1.1"], "aliases": []}]}
SKIPPED = {"name": "rich", "skip_reason": "Dependency not found"}
OURS = {"name": "indimail-kit", "skip_reason": "distribution marked as editable"}


@pytest.mark.parametrize(
    ("packages", "exit_code"),
    [
        pytest.param([SAFE, OURS], 0, id="everything is known and good"),
        pytest.param([SAFE, UNSAFE], 1, id="a vulnerability"),
        pytest.param([UNSAFE, SKIPPED], 1, id="a vulnerability, and one not known"),
        pytest.param([SAFE, SKIPPED], 3, id="one could not be asked about"),
        pytest.param([SKIPPED, SKIPPED], 3, id="none could be asked about: pip-audit calls that clean"),
        pytest.param([OURS], 3, id="nothing was looked up"),
    ],
)
def test_only_what_was_looked_up_is_called_safe(audit: ModuleType, packages: list[object], exit_code: int) -> None:
    """0 means that every package was asked about and none has a known vulnerability."""
    assert audit.read_report(json.dumps({"dependencies": packages})).exit_code == exit_code


def test_vulnerability_is_told_with_what_mends_it(audit: ModuleType) -> None:
    """Package, version, identifier, and the release to take."""
    report = audit.read_report(json.dumps({"dependencies": [UNSAFE]}))

    assert report.vulnerable == ("old 1.0: CVE-2000-1, mended in 1.1",)


@pytest.mark.parametrize("text", ["", "No known vulnerabilities found", "[]", '{"dependencies": [{}]}', "{}"])
def test_anything_else_is_no_report(audit: ModuleType, text: str) -> None:
    """Silence, a sentence and another form are refused."""
    with pytest.raises(ValueError, match="no report of pip-audit"):
        audit.read_report(text)
