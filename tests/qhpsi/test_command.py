"""Tests of command.py."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from indimail_kit.qhpsi.command import CommandScanner, name_for_child
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.verdict import Verdict

ENVIRON = {"PATH": "/usr/bin:/bin"}


def test_name_is_relative_inside_the_queue(tmp_path: Path) -> None:
    """A message below the working directory is named as qmail-queue names it."""
    assert name_for_child(tmp_path / "mess" / "16" / "660188", tmp_path) == "mess/16/660188"


def test_name_is_absolute_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of ours would mean another file to a child in another directory."""
    monkeypatch.chdir(tmp_path)

    assert name_for_child(Path("m"), tmp_path / "queue") == str(tmp_path / "m")
    assert name_for_child(Path("m"), None) == str(tmp_path / "m")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A scanner that greps for the test file's text and tells its arguments."""
    path = tmp_path / "scan"
    path.write_text(
        '#!/bin/sh\necho "$#:$*"\nif grep -q EICAR-STANDARD "$1"; then exit 1; fi\nexit 0\n', encoding="ascii"
    )
    path.chmod(0o755)
    return path


def test_program_is_asked_and_its_output_kept(tmp_path: Path, script: Path, eicar_octets: bytes) -> None:
    """The scanner gets the relative name, and its exit code becomes the verdict."""
    (tmp_path / "mess").mkdir()
    (tmp_path / "mess" / "7").write_bytes(eicar_octets)
    scanner = CommandScanner(QhpsiConfig(f"{script} %s -v"), ENVIRON, cwd=tmp_path)

    answer = scanner(tmp_path / "mess" / "7")

    assert (answer.verdict, answer.scanner, answer.scanner_rc, answer.raw, answer.reason) == (
        Verdict.INFECTED,
        str(script),
        1,
        b"2:mess/7 -v\n",
        "",
    )
    assert answer.elapsed_ns > 0


@pytest.mark.parametrize(
    ("command", "verdict", "scanner_rc", "reason"),
    [
        ("true %s", Verdict.CLEAN, 0, ""),
        ("/bin/true %s", Verdict.CLEAN, 0, ""),
        ("false %s", Verdict.INFECTED, 1, ""),
        ("", Verdict.ERROR, 75, "no program in QHPSI"),
        ("  ", Verdict.ERROR, 75, "no program in QHPSI"),
        ("'' %s", Verdict.ERROR, 75, "no program in QHPSI"),
        ("/no/such/scanner", Verdict.ERROR, 75, "/no/such/scanner could not be started: No such file or directory"),
        (" plugin: a.so", Verdict.ERROR, 75, 'white space before "plugin:" in QHPSI'),
        ("sh -c 'exit 9'", Verdict.ERROR, 9, "exit code 9, neither QHPSIRC (1) nor QHPSIRN (0)"),
    ],
)
def test_exit_code_is_read_by_the_variables(
    tmp_path: Path, command: str, verdict: Verdict, scanner_rc: int, reason: str
) -> None:
    """Only QHPSIRN is CLEAN, QHPSIRC is INFECTED, everything else an error with its reason."""
    answer = CommandScanner(QhpsiConfig(command), ENVIRON)(tmp_path)

    assert (answer.verdict, answer.scanner_rc, answer.reason) == (verdict, scanner_rc, reason)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMIN + 3])
def test_scanner_that_crashes_is_an_error(tmp_path: Path, number: int) -> None:
    """A signal leaves no exit code, and the reason names it."""
    answer = CommandScanner(QhpsiConfig(f"sh -c 'kill -{int(number)} $$'"), ENVIRON)(tmp_path)

    assert (answer.verdict, answer.scanner_rc, answer.signal_number) == (Verdict.ERROR, None, int(number))
    assert answer.reason.startswith(f"ended by signal {int(number)} (")


def test_slow_scanner_is_an_error(tmp_path: Path) -> None:
    """After the time limit the answer is an error, not the exit code of a killed program."""
    answer = CommandScanner(QhpsiConfig("sh -c 'sleep 600'"), ENVIRON, timeout_s=0.2)(tmp_path)

    assert (answer.verdict, answer.scanner_rc, answer.signal_number) == (Verdict.ERROR, None, 0)
    assert answer.reason == "no answer within 0.2 s; killed"


def test_shell_metacharacters_are_plain_text(tmp_path: Path) -> None:
    """No shell reads the string: nothing behind ; or in $( ) is run."""
    answer = CommandScanner(QhpsiConfig(f"echo ; touch {tmp_path}/owned $(id) %s"), ENVIRON, cwd=tmp_path)(
        tmp_path / "m"
    )

    # "$(id) %s" is a variable that is not set: it ends the list.
    assert answer.raw == f"; touch {tmp_path}/owned\n".encode()
    assert list(tmp_path.iterdir()) == []


def test_dotted_name_is_looked_for_here_and_not_in_path(tmp_path: Path) -> None:
    """Qhpsi calls execv for a name that begins with a dot: PATH has no say."""
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    for directory, exit_code in ((tmp_path, 0), (elsewhere, 1)):
        path = directory / ".scan"
        path.write_text(f"#!/bin/sh\nexit {exit_code}\n", encoding="ascii")
        path.chmod(0o755)

    answer = CommandScanner(QhpsiConfig(".scan"), {"PATH": f"{elsewhere}:/bin"}, cwd=tmp_path)(tmp_path / "m")

    assert (answer.verdict, answer.scanner) == (Verdict.CLEAN, ".scan")


def test_hostile_file_name_is_one_argument(tmp_path: Path) -> None:
    """Blanks, quotes, semicolons and line ends in a name stay in one argument."""
    name = "a b'; rm -rf x\n$(id)"

    answer = CommandScanner(QhpsiConfig("printf [%s] %s"), ENVIRON, cwd=tmp_path)(tmp_path / name)

    # "[%s]" does not begin with %s; printf itself puts the name in.
    assert answer.raw == f"[{name}]".encode()


def test_environment_is_not_in_the_repr() -> None:
    """The environment of a service may hold secrets."""
    assert "hush" not in repr(CommandScanner(QhpsiConfig("scan"), {"TOKEN": "hush"}))
