"""The lab's scanner is the one that was asked for, or the lab says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.errors import MissingPartError
from indimail_kit.lab import scanners
from indimail_kit.mailqueue.layout import QueueLayout
from indimail_kit.qhpsi import Verdict
from indimail_kit.qhpsi.sample_plugin import find_compiler
from indimail_kit.qhpsi.scan_user import scan_user


@pytest.mark.parametrize("choice", ["clamd", "command"])
def test_missing_clamd_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, choice: scanners.ScannerChoice) -> None:
    """Who asks for clamd where there is none hears how to get it, and what to use instead."""
    monkeypatch.setattr(scanners, "find_clamd", lambda: None)
    with pytest.raises(MissingPartError, match=r"clamd is missing\. Install clamav-daemon .* --scanner embedded"):
        scanners.LabScanner(choice)


def test_auto_takes_the_embedded_scanner_where_there_is_no_clamd(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lesson goes on, and the name says which scanner it is."""
    monkeypatch.setattr(scanners, "find_clamd", lambda: None)
    scanner = scanners.LabScanner("auto")
    scanner.start()
    assert (scanner.kind, "no clamd" in scanner.name) == ("embedded", True)


def test_stopped_embedded_scanner_never_says_clean(tmp_path: Path) -> None:
    """A scanner that was stopped gives no verdict; started again it does."""
    scanner = scanners.LabScanner("embedded")
    scanner.start()
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: x\n\nhello\n")
    config = scanners.qhpsi.QhpsiConfig.from_environ({"QHPSI": scanner.qhpsi})
    verdicts = []
    for change in (lambda: None, scanner.stop, scanner.start):
        change()
        verdicts.append(scanner.scanner_for(config, {}, None)(mail).verdict)
    assert verdicts == [Verdict.CLEAN, Verdict.ERROR, Verdict.CLEAN]


def test_clamdscan_of_the_lab_does_not_run_as_root(tmp_path: Path) -> None:
    """The lab's own command finds the virus, as root run by another user, in a queue that this user may not enter."""
    scanner = scanners.LabScanner("command")
    scanner.start()
    try:
        mail = tmp_path / "mail"
        mail.write_bytes(b"Subject: x\n\n" + scanners.qhpsi.eicar() + b"\n")
        environ = {"QHPSI": scanner.qhpsi, "PATH": "/usr/bin:/bin"}
        config = scanners.qhpsi.QhpsiConfig.from_environ(environ)

        answer = scanners.qhpsi.command(config, environ)(mail)
    finally:
        scanner.stop()

    user = scan_user()
    assert (answer.verdict, answer.user) == (Verdict.INFECTED, user.name if user is not None else "")


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler is installed")
def test_plugin_in_the_lab_is_found_where_qhpsi_looks(tmp_path: Path) -> None:
    """plugins/ lies beside queue/, as in /var/indimail: the sample plugin works in a mail's way."""
    scanners.qhpsi.compile_sample_plugin(tmp_path / "plugins")
    layout = QueueLayout(tmp_path / "queue" / "queue1")
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: x\n\nhello\n")
    environ = {"QHPSI": "plugin: sample.so"}
    layout.directory.mkdir(parents=True)

    scanner = scanners.LabScanner("embedded").scanner_for(
        scanners.qhpsi.QhpsiConfig.from_environ(environ), environ, layout
    )

    assert scanner(mail).verdict is Verdict.CLEAN
