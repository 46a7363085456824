"""Tests of command.py."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from indimail_kit.qhpsi import ClamdDaemon
from indimail_kit.qhpsi.command import SCANNER_DESCRIPTORS, CommandScanner, name_for_child
from indimail_kit.qhpsi.config import QhpsiConfig
from indimail_kit.qhpsi.scan_user import scan_user
from indimail_kit.qhpsi.verdict import Verdict

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")

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
def message(tmp_path: Path) -> Path:
    """A message that anybody may read, in a directory that only we may enter."""
    path = tmp_path / "m"
    path.write_bytes(b"Subject: hello\n\nhello\n")
    path.chmod(0o644)
    return path


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
    scanner = CommandScanner(QhpsiConfig(f"{script} %s -v"), ENVIRON, cwd=tmp_path, run_as=None)

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
    message: Path, command: str, verdict: Verdict, scanner_rc: int, reason: str
) -> None:
    """Only QHPSIRN is CLEAN, QHPSIRC is INFECTED, everything else an error with its reason."""
    answer = CommandScanner(QhpsiConfig(command), ENVIRON, run_as=None)(message)

    assert (answer.verdict, answer.scanner_rc, answer.reason) == (verdict, scanner_rc, reason)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMIN + 3])
def test_scanner_that_crashes_is_an_error(message: Path, number: int) -> None:
    """A signal leaves no exit code, and the reason names it."""
    answer = CommandScanner(QhpsiConfig(f"sh -c 'kill -{int(number)} $$'"), ENVIRON)(message)

    assert (answer.verdict, answer.scanner_rc, answer.signal_number) == (Verdict.ERROR, None, int(number))
    assert answer.reason.startswith(f"ended by signal {int(number)} (")


def test_slow_scanner_is_an_error(message: Path) -> None:
    """After the time limit the answer is an error, not the exit code of a killed program."""
    answer = CommandScanner(QhpsiConfig("sh -c 'sleep 600'"), ENVIRON, timeout_s=0.2)(message)

    assert (answer.verdict, answer.scanner_rc, answer.signal_number) == (Verdict.ERROR, None, 0)
    assert answer.reason == "no answer within 0.2 s; killed"


def test_shell_metacharacters_are_plain_text(tmp_path: Path, message: Path) -> None:
    """No shell reads the string: nothing behind ; or in $( ) is run."""
    answer = CommandScanner(QhpsiConfig(f"echo ; touch {tmp_path}/owned $(id) %s"), ENVIRON, cwd=tmp_path)(message)

    # "$(id) %s" is a variable that is not set: it ends the list.
    assert answer.raw == f"; touch {tmp_path}/owned\n".encode()
    assert list(tmp_path.iterdir()) == [message]


def test_dotted_name_is_looked_for_here_and_not_in_path(tmp_path: Path, message: Path) -> None:
    """Qhpsi calls execv for a name that begins with a dot: PATH has no say."""
    elsewhere = tmp_path / "bin"
    elsewhere.mkdir()
    for directory, exit_code in ((tmp_path, 0), (elsewhere, 1)):
        path = directory / ".scan"
        path.write_text(f"#!/bin/sh\nexit {exit_code}\n", encoding="ascii")
        path.chmod(0o755)

    answer = CommandScanner(QhpsiConfig(".scan"), {"PATH": f"{elsewhere}:/bin"}, cwd=tmp_path, run_as=None)(message)

    assert (answer.verdict, answer.scanner) == (Verdict.CLEAN, ".scan")


def test_hostile_file_name_is_one_argument(tmp_path: Path) -> None:
    """Blanks, quotes, semicolons and line ends in a name stay in one argument."""
    name = "a b'; rm -rf x\n$(id)"
    (tmp_path / name).touch()

    answer = CommandScanner(QhpsiConfig("printf [%s] %s"), ENVIRON, cwd=tmp_path, run_as=None)(tmp_path / name)

    # "[%s]" does not begin with %s; printf itself puts the name in.
    assert answer.raw == f"[{name}]".encode()


def test_environment_is_not_in_the_repr() -> None:
    """The environment of a service may hold secrets."""
    assert "hush" not in repr(CommandScanner(QhpsiConfig("scan"), {"TOKEN": "hush"}))


# ---- what the scanner is given ----


def test_message_is_on_standard_input_too(message: Path) -> None:
    """The form of the seed text, "scanning on STDIN": the message is on descriptor 0, %s or not."""
    answer = CommandScanner(QhpsiConfig("cat -n -"), ENVIRON)(message)

    assert (answer.verdict, answer.raw.split()[2]) == (Verdict.CLEAN, b"hello")


@pytest.mark.parametrize("command", ["clamdscan -c {conf} --quiet -", "clamdscan -c {conf} --fdpass --quiet %s"])
@pytest.mark.parametrize(("name", "verdict"), [("clean", Verdict.CLEAN), ("eicar", Verdict.INFECTED)])
def test_clamdscan_reads_it_both_ways(
    clamd_of_scan_user: ClamdDaemon, mess: Callable[[str], Path], command: str, name: str, verdict: Verdict
) -> None:
    """Clamdscan finds the virus on standard input and by name, run as the scanner's user where we are root."""
    config = QhpsiConfig(command.format(conf=clamd_of_scan_user.config_path))

    assert CommandScanner(config, {"PATH": "/usr/bin:/bin"})(mess(name)).verdict is verdict


def test_standard_input_cannot_be_written(message: Path) -> None:
    """The message is open for reading only: a scanner cannot append to the mail, as it can under IndiMail."""
    answer = CommandScanner(QhpsiConfig("sh -c 'echo APPENDED >&0'"), ENVIRON)(message)

    assert answer.raw.endswith(b"I/O error\n")
    assert b"APPENDED" not in message.read_bytes()


def test_scanner_has_no_other_descriptor(message: Path) -> None:
    """0 message, 1 and 2 output, nothing else: no envelope pipe, no writable message (3 is ls reading)."""
    answer = CommandScanner(QhpsiConfig("sh -c 'ls /proc/self/fd'"), ENVIRON)(message)

    assert answer.raw.split() == [b"0", b"1", b"2", b"3"]
    assert [number for number, (_, ours) in SCANNER_DESCRIPTORS.items() if ours] == [0, 1, 2]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, os.mkfifo], ids=["directory", "gone", "fifo"])
def test_what_is_no_file_is_not_scanned(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A scanner that says 0 does not make a directory, a FIFO or nothing at all clean."""
    path = tmp_path / "m"
    make(path)
    if path.is_file():
        path.unlink()

    answer = CommandScanner(QhpsiConfig("true %s"), ENVIRON)(path)

    assert (answer.verdict, answer.scanner_rc) == (Verdict.ERROR, 75)
    assert answer.reason.startswith("message: ")


def test_answer_tells_what_was_run(message: Path) -> None:
    """The argument vector and the user are in the answer."""
    answer = CommandScanner(QhpsiConfig("true -x %s"), ENVIRON, cwd=message.parent, run_as=None)(message)

    assert (answer.argv, answer.user) == (("true", "-x", "m"), "")


# ---- as another user ----


@needs_root
def test_root_does_not_run_a_scanner(message: Path) -> None:
    """By default root becomes qscand, or nobody where there is none, without supplementary groups."""
    expected = scan_user()
    assert expected is not None

    answer = CommandScanner(QhpsiConfig("sh -c 'id -u; id -G'"), ENVIRON)(message)

    assert answer.raw.split() == [str(expected.uid).encode(), str(expected.gid).encode()]
    assert answer.user == expected.name


@needs_root
def test_scanner_cannot_become_root_again(message: Path) -> None:
    """No setuid program gives it back what it was: no_new_privs is set."""
    answer = CommandScanner(QhpsiConfig("grep -E ^(NoNewPrivs|Uid): /proc/self/status"), ENVIRON)(message)

    assert b"NoNewPrivs:\t1" in answer.raw


@needs_root
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_message_out_of_reach_is_copied(message: Path, mode: int) -> None:
    """A user who may not enter the queue reads a copy, cannot write it, and it is gone afterwards."""
    message.chmod(mode)

    answer = CommandScanner(QhpsiConfig("cat -n %s"), ENVIRON)(message)
    looked = CommandScanner(QhpsiConfig("stat --format=%a:%U %s"), ENVIRON)(message)
    written = CommandScanner(QhpsiConfig("tee %s"), ENVIRON)(message)

    assert answer.raw.split()[2:3] == [b"hello"]
    assert looked.raw == b"440:root\n"
    assert written.scanner_rc == 1
    assert answer.argv[2].endswith("/m")
    assert not Path(answer.argv[2]).parent.exists()


@needs_root
def test_message_within_reach_keeps_its_name(tmp_path: Path) -> None:
    """Where the user can go there is no copy."""
    directory = Path(tempfile.mkdtemp(prefix="ik-test-", dir="/tmp"))
    try:
        directory.chmod(0o755)
        (directory / "m").write_bytes(b"hello")
        (directory / "m").chmod(0o644)

        answer = CommandScanner(QhpsiConfig("cat %s"), ENVIRON, cwd=directory)(directory / "m")
    finally:
        shutil.rmtree(directory)

    assert (answer.argv, answer.raw) == (("cat", "m"), b"hello")


@needs_root
def test_program_out_of_reach_is_told_with_the_user(message: Path, script: Path) -> None:
    """A scanner below a directory of root's cannot run as nobody; the reason names him."""
    answer = CommandScanner(QhpsiConfig(f"{script} %s"), ENVIRON, run_as="nobody")(message)

    assert answer.reason == f"{script} could not be started as user nobody: Permission denied"


def test_unknown_user_is_an_error(message: Path) -> None:
    """A user that does not exist is not replaced by another one."""
    answer = CommandScanner(QhpsiConfig("true %s"), ENVIRON, run_as="no-such-user")(message)

    assert (answer.verdict, answer.reason) == (Verdict.ERROR, "no user no-such-user")
