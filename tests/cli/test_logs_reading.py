"""How far a log has been read: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from indimail_kit.cli import logs_reading, main
from indimail_kit.cli.logs_reading import told
from indimail_kit.logs import read

LOGS = Path(__file__).parents[1] / "data" / "indimail" / "logs"
LOG = LOGS / "send-for-smtpd.tai64n.log.gz"


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.fixture
def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    """Return a function that makes streams terminals, and returns that of standard error.

    A function, since pytest puts its own streams in place between a fixture and its test.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def use(*names: str) -> Terminal:
        screens = {name: Terminal() for name in ("stderr", *names)}
        for name, screen in screens.items():
            monkeypatch.setattr(sys, name, screen)
        return screens["stderr"]

    return use


@pytest.fixture
def any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a bar to the shortest log."""
    monkeypatch.setattr(logs_reading, "MIN_BYTES", 1)


@pytest.mark.usefixtures("any_length")
def test_a_bar_on_a_terminal_comes_to_its_end(use_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """Plain, compressed and a directory: what was read is what there was to read, and the bar goes away."""
    (tmp_path / "current").write_bytes(b"new msg 1\n" * 3000)
    terminal = use_terminal()
    with told([LOG, tmp_path]) as sources:
        log = read(*sources)
    size = LOG.stat().st_size + 30_000
    said = re.findall(r"([\d.]+)/([\d.]+) KiB", terminal.getvalue())
    assert len(log) == 3200
    assert said[-1] == (f"{size / 1024:.1f}", f"{size / 1024:.1f}")
    assert terminal.getvalue().endswith("\x1b[2K")  # its line is cleared


@pytest.mark.parametrize("verb", ["report", "events", "matchup", "redact"])
def test_there_is_no_bar_in_a_pipe(verb: str) -> None:
    """What a program or a file gets has no trace of it."""
    done = CliRunner().invoke(main, ["logs", verb, str(LOG)])
    assert (done.exit_code, "reading" in done.stderr, "\x1b" in done.output) == (0, False, False)


def test_a_short_log_is_read_without_a_bar(use_terminal: Callable[..., Terminal]) -> None:
    """It would be gone before it is seen, and leave a flicker."""
    terminal = use_terminal()
    with told([LOG]) as sources:
        assert len(read(*sources)) == 200
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("any_length")
def test_rows_on_the_same_terminal_are_not_disturbed(use_terminal: Callable[..., Terminal]) -> None:
    """A bar between rolling rows helps nobody."""
    terminal = use_terminal("stdout")
    with told([LOG], has_rows=True) as sources:
        assert len(read(*sources)) == 200
    assert terminal.getvalue() == ""


@pytest.mark.usefixtures("any_length")
@pytest.mark.parametrize("names", [["-"], [LOG, "nothing here"], []], ids=["standard input", "no such file", "none"])
def test_what_has_no_known_length_has_no_bar(names: list[str | Path], use_terminal: Callable[..., Terminal]) -> None:
    """What is wrong with a file is said by who reads it."""
    terminal = use_terminal()
    with told(names) as sources:
        assert [str(source) for source in sources] == ["/dev/stdin" if name == "-" else str(name) for name in names]
    assert terminal.getvalue() == ""
