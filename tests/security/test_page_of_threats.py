"""docs/security.md: every test that it names is there, and every attack of this folder is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`tests/" in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


@pytest.mark.parametrize("test", NAMED)
def test_named_test_is_there(test: str) -> None:
    """A file of tests that is there, and a function in it if one is named."""
    path, _, name = test.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")

    assert f"def {name}(" in source if name else "def test_" in source


def test_every_row_names_its_test() -> None:
    """What could go wrong without a test stands below the table, and says so."""
    table = [line for line in PAGE.splitlines() if line.startswith("| ")][2:]

    assert table == ROWS
    assert len(ROWS) >= 18


def test_every_attack_of_this_folder_is_on_the_page() -> None:
    """A new file of attacks has its row."""
    here = {f"tests/security/{path.name}" for path in Path(__file__).parent.glob("test_*.py")}

    assert here - {name.partition("::")[0] for name in NAMED} == {f"tests/security/{Path(__file__).name}"}
