"""Every block of code in the documents runs: Python in an empty directory, commands as they stand.

A block that cannot run here has the reason in front of it, where a reader of the source sees it::

    <!-- not run: it sets the machine up -->
"""

from __future__ import annotations

import re
import shlex
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from indimail_kit.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.md")])
BLOCK = re.compile(r"(?:^<!-- not run: (?P<reason>.+) -->\n+)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
DRAWINGS = ("text",)
"""Languages of blocks that are no code: drawings and outputs."""
NOT_RUN = 2
"""Blocks with a reason not to run. More is a decision, not an accident."""


@dataclass(frozen=True)
class Block:
    """A block of code in a document.

    Attributes:
        page: The document.
        language: Its language.
        code: What is in it.
        reason: Why it is not run; "" if it is.
    """

    page: Path
    language: str
    code: str
    reason: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a document that are code."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [
        Block(page, match["language"], match["code"], match["reason"] or "")
        for match in found
        if match["language"] not in DRAWINGS
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]


def test_blocks_that_do_not_run_are_few_and_say_why() -> None:
    """Every block is Python or commands; those that are only shown are counted."""
    assert {block.language for block in BLOCKS} <= {"python", "sh"}
    assert len([block for block in BLOCKS if block.reason]) == NOT_RUN


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader who types a page's blocks one after another, in an empty directory, gets no error."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    ran = 0
    for block in blocks(page):
        if block.language == "python" and not block.reason:
            exec(compile(block.code, page.name, "exec"), vars(module))  # noqa: S102 - that is the claim
            ran += 1

    assert ran
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "line",
    [
        line
        for block in BLOCKS
        if block.language == "sh" and not block.reason
        for line in block.code.splitlines()
        if line.strip() and not line.startswith("#")
    ]
    or [pytest.param("indimail-kit --version", id="no page has one")],
)
def test_command_of_a_page_runs(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in a document is one of ours, and does what it says without an error."""
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(line)

    assert program.removeprefix(".venv/bin/") == "indimail-kit"
    assert CliRunner().invoke(main, words).exit_code in (0, 1)
