"""Tests of sample_plugin.py and sample_plugin.c: compiled with the real compiler, loaded by the real child."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.errors import MissingPartError, ScanError
from indimail_kit.qhpsi import PluginScanner, QhpsiConfig, compile_sample_plugin, sample_plugin, teaching_signatures
from indimail_kit.qhpsi.sample_plugin import SAMPLE_SOURCE, find_compiler
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler is installed")

MARKER = next(one.marker for one in teaching_signatures() if one.marker.endswith(b"MARKER-ALPHA"))
PIECE = 65_536
"""What the plugin reads at a time (unit: octets)."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """IndiMail's home with the sample plugin in it."""
    home = tmp_path_factory.mktemp("home")
    compile_sample_plugin(home / "plugins")
    return home


def ask(home: Path, octets: bytes, command: str = "plugin: sample.so") -> ScanAnswer:
    """Scan a message with plugins, as root as another user."""
    (home / "m").write_bytes(octets)
    return PluginScanner(QhpsiConfig(command), {}, home=home)(home / "m")


@needs_compiler
@pytest.mark.parametrize(
    ("octets", "verdict"),
    [
        (b"", Verdict.CLEAN),
        (b"Subject: x\n\nhello\n", Verdict.CLEAN),
        (b"Subject: x\n\n" + MARKER + b"\n", Verdict.INFECTED),
        (MARKER[:-1], Verdict.CLEAN),
        (b"." * 200_000, Verdict.CLEAN),
        (b"." * 200_000 + MARKER, Verdict.INFECTED),
        (b"a\0b" + MARKER, Verdict.INFECTED),
    ],
    ids=["empty", "clean", "marker", "one octet short", "long", "long with marker", "behind a NUL"],
)
def test_sample_finds_the_marker_and_nothing_else(home: Path, octets: bytes, verdict: Verdict) -> None:
    """A plugin in C says virus or clean through dlopen, dlsym and a call."""
    answer = ask(home, octets)

    assert (answer.verdict, answer.scanner_rc) == (verdict, int(verdict is Verdict.INFECTED))


@needs_compiler
@pytest.mark.parametrize("shift", range(-len(MARKER), len(MARKER) + 1, 5))
def test_marker_across_two_pieces_is_found(home: Path, shift: int) -> None:
    """Where the pieces meet nothing slips through."""
    assert ask(home, b"." * (PIECE + shift) + MARKER + b"." * 100).verdict is Verdict.INFECTED


@needs_compiler
def test_sample_takes_part_in_a_list(home: Path) -> None:
    """The first virus ends the list: the plugin that is missing is not missed."""
    assert ask(home, MARKER, "plugin: sample.so none.so").verdict is Verdict.INFECTED
    assert ask(home, b"clean", "plugin: sample.so none.so").verdict is Verdict.ERROR


def test_source_is_found_by_no_scanner() -> None:
    """The marker stands in two halves in the file that is shipped."""
    assert MARKER not in SAMPLE_SOURCE.read_bytes()


def test_missing_compiler_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has no compiler hears how to get one."""
    monkeypatch.setattr(sample_plugin, "find_compiler", lambda: None)

    with pytest.raises(MissingPartError, match=r"a C compiler is missing\. Install one"):
        compile_sample_plugin(tmp_path)


def test_compiler_is_looked_for_in_path(tmp_path: Path) -> None:
    """Nothing is found where nothing is."""
    assert find_compiler(str(tmp_path)) is None


@needs_compiler
def test_refused_source_is_quoted(tmp_path: Path) -> None:
    """A learner who broke the source reads what the compiler says."""
    (tmp_path / "x.c").write_text("int virusscan(const char *m) { return nothing; }\n", encoding="ascii")

    with pytest.raises(ScanError, match=r"(?s)refuses it: .*nothing"):
        compile_sample_plugin(tmp_path, source=tmp_path / "x.c")
