"""Tests of scanning.py and of the room's front door."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import indimail_kit
from indimail_kit import qhpsi
from indimail_kit.qhpsi import ClamdClient, ClamdDaemon, CommandScanner, EmbeddedScanner, PluginScanner, QhpsiConfig
from indimail_kit.qhpsi.decision import ScanAction
from indimail_kit.qhpsi.scanning import scan_message, scanner_for
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

SEED = "/usr/bin/clamdscan %s --quiet --no-summary"
"""QHPSI as in the seed text of 2010."""


def answering(verdict: Verdict, **fields: object) -> qhpsi.Scanner:
    """Return a scanner that always says the same."""
    return lambda _path: ScanAnswer(verdict, **fields)  # type: ignore[arg-type]


@pytest.fixture
def mess_path(tmp_path: Path) -> Path:
    """A message of ten octets."""
    path = tmp_path / "660188"
    path.write_bytes(b"0123456789")
    return path


@pytest.mark.parametrize(
    ("verdict", "config", "action", "exit_code", "header"),
    [
        (Verdict.CLEAN, QhpsiConfig(SEED), ScanAction.ACCEPT_CLEAN, 0, b"X-QHPSI: clean\n"),
        (Verdict.INFECTED, QhpsiConfig(SEED), ScanAction.ACCEPT_INFECTED, 0, b"X-QHPSI: Virus found\n"),
        (Verdict.INFECTED, QhpsiConfig(SEED, reject_virus=1), ScanAction.BOUNCE, 33, b""),
        (Verdict.INFECTED, QhpsiConfig(SEED, reject_virus=2), ScanAction.BLACKHOLE, 0, b"X-QHPSI: Virus found\n"),
        (Verdict.INFECTED, QhpsiConfig(SEED, virus_forward="a@b"), ScanAction.FORWARD, 0, b"X-QHPSI: Virus found\n"),
        (Verdict.NOT_SCANNED, QhpsiConfig(SEED), ScanAction.TEMPFAIL, 77, b""),
        (Verdict.ERROR, QhpsiConfig(SEED), ScanAction.TEMPFAIL, 77, b""),
        (Verdict.CLEAN, QhpsiConfig(SEED, infected_rc=0), ScanAction.ACCEPT_INFECTED, 0, b"X-QHPSI: Virus found\n"),
        (Verdict.CLEAN, QhpsiConfig(SEED, clean_rc=2), ScanAction.TEMPFAIL, 77, b""),
    ],
)
def test_scanner_that_is_no_program_counts_as_clamdscan(
    mess_path: Path, verdict: Verdict, config: QhpsiConfig, action: ScanAction, exit_code: int, header: bytes
) -> None:
    """A clamd client or the embedded scanner stands for clamdscan with its exit codes 0 and 1."""
    report = scan_message(mess_path, config=config, scanner=answering(verdict))

    assert (report.action, report.exit_code, report.header) == (action, exit_code, header)


@pytest.mark.parametrize("verdict", [Verdict.NOT_SCANNED, Verdict.ERROR])
@pytest.mark.parametrize("scanner_rc", [None, 0, 1, 2, 75])
@pytest.mark.parametrize("clean_rc", [0, 1, 2, 75])
def test_failed_scan_is_never_clean(mess_path: Path, verdict: Verdict, scanner_rc: int | None, clean_rc: int) -> None:
    """No value of QHPSIRN turns a scan that failed into a clean one."""
    config = QhpsiConfig(SEED, infected_rc=99, clean_rc=clean_rc)

    report = scan_message(mess_path, config=config, scanner=answering(verdict, scanner_rc=scanner_rc))

    assert (report.action, report.exit_code) == (ScanAction.TEMPFAIL, 77)


def test_finding_is_never_clean(mess_path: Path) -> None:
    """QHPSIRN=1 does not turn a virus that clamd found into clean mail."""
    config = QhpsiConfig(SEED, infected_rc=5, clean_rc=1)

    assert scan_message(mess_path, config=config, scanner=answering(Verdict.INFECTED)).exit_code == 77


def test_crashed_scanner_is_123(mess_path: Path) -> None:
    """A signal is qmail-queue's "crashed"."""
    scanner = answering(Verdict.ERROR, signal_number=11)

    assert scan_message(mess_path, config=QhpsiConfig(SEED), scanner=scanner).exit_code == 123


def test_scanner_that_raises_is_a_temporary_refusal(mess_path: Path) -> None:
    """A scanner that breaks its promise lets nothing through."""

    def broken(_path: Path) -> ScanAnswer:
        raise RuntimeError("surprise")

    report = scan_message(mess_path, config=QhpsiConfig(SEED), scanner=broken)

    assert report.answer == ScanAnswer(Verdict.ERROR, reason="scanner raised RuntimeError: surprise")
    assert report.exit_code == 77


@pytest.mark.parametrize(
    ("config", "message_bytes"),
    [
        (QhpsiConfig(None), None),
        (QhpsiConfig(SEED, is_fast_queue=True), None),
        (QhpsiConfig(SEED, min_bytes=11), None),
        (QhpsiConfig(SEED, max_bytes=9), None),
        (QhpsiConfig(SEED, max_bytes=100), 101),
    ],
)
def test_scanner_is_not_asked_in_vain(mess_path: Path, config: QhpsiConfig, message_bytes: int | None) -> None:
    """Without QHPSI, with FASTQUEUE, or outside the sizes nobody is asked and no header is written."""
    asked: list[Path] = []

    def scanner(path: Path) -> ScanAnswer:
        asked.append(path)
        return ScanAnswer(Verdict.INFECTED)

    report = scan_message(mess_path, config=config, scanner=scanner, message_bytes=message_bytes)

    assert (asked, report.answer, report.action, report.exit_code, report.header) == (
        [],
        None,
        ScanAction.SKIP,
        0,
        b"",
    )


def test_vanished_message_is_a_temporary_refusal(tmp_path: Path) -> None:
    """A mess file that is gone cannot be clean."""
    report = scan_message(tmp_path / "none", config=QhpsiConfig(SEED), scanner=answering(Verdict.CLEAN))

    assert report.exit_code == 77
    assert report.answer == ScanAnswer(Verdict.ERROR, reason="message: No such file or directory")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (SEED, EmbeddedScanner),
        ("clamdscan", EmbeddedScanner),
        ("/opt/bin/clamdscan --fdpass %s", EmbeddedScanner),
        ("/usr/bin/clamdscan --quiet", CommandScanner),
        ("/usr/bin/clamscan %s", CommandScanner),
        ("/bin/sh -c clamdscan %s", CommandScanner),
        ("", CommandScanner),
        ("plugin: a.so", PluginScanner),
    ],
)
def test_stand_in_answers_only_for_clamdscan(command: str, kind: type[object]) -> None:
    """Only clamdscan that is given the message is replaced; every other command is run."""
    stand_in = EmbeddedScanner()

    assert isinstance(scanner_for(QhpsiConfig(command), {}, clamdscan=stand_in), kind)
    assert not isinstance(scanner_for(QhpsiConfig(command), {}), EmbeddedScanner)


def test_report_fits_the_queue(mess_path: Path) -> None:
    """What enqueue calls is scan_message with two things bound: path and size go in, four attributes come out."""
    scan = partial(scan_message, config=QhpsiConfig(SEED, reject_virus=2), scanner=answering(Verdict.INFECTED))

    report = scan(mess_path, message_bytes=10)

    assert (report.exit_code, report.header, report.is_swallowed, report.forward_to) == (
        0,
        b"X-QHPSI: Virus found\n",
        True,
        "",
    )


# ---- the front door ----


def test_front_door_is_the_interface(clamd: ClamdDaemon, mess: Callable[[str], Path]) -> None:
    """The lines of INTERFACE.md work: policy from an environment, scan of a path with a clamd's socket."""
    kit = indimail_kit
    policy = kit.qhpsi.QhpsiConfig.from_environ({"QHPSI": SEED, "REJECTVIRUS": "1"})

    reports = [
        kit.qhpsi.scan(str(mess(name)), policy, scanner=kit.qhpsi.clamd(clamd.socket_path))
        for name in ("clean", "eicar-zip")
    ]

    assert [(report.exit_code, report.header) for report in reports] == [(0, b"X-QHPSI: clean\n"), (33, b"")]


def test_front_door_makes_each_scanner() -> None:
    """`clamd`, `embedded` and `command` are functions, although modules bear two of these names."""
    from indimail_kit.qhpsi.command import CommandScanner as FromModule

    assert isinstance(qhpsi.clamd("/run/clamd.sock"), ClamdClient)
    assert isinstance(qhpsi.embedded(), EmbeddedScanner)
    assert isinstance(qhpsi.command(QhpsiConfig("true"), {}), FromModule)


def test_room_loads_nothing_heavy() -> None:
    """Importing the room brings in neither pyclamd, YARA and the mail parser nor subprocess and socket."""
    heavy = "pyclamd yara email zipfile subprocess socket tempfile pandas"
    code = f"import sys, indimail_kit.qhpsi; print([m for m in {heavy.split()!r} if m in sys.modules])"

    ended = subprocess.run([sys.executable, "-c", code], cwd=Path(indimail_kit.__file__).parents[1],
                           capture_output=True, text=True, check=True)  # fmt: skip

    assert ended.stdout == "[]\n"
