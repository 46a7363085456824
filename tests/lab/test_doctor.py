"""The doctor says what is there, what is not, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.errors import MissingPartError
from indimail_kit.lab import doctor


def finding(report: doctor.Report, name: str) -> doctor.Check:
    """Return the check of a name."""
    return next(check for check in report.checks if check.name == name)


def test_this_environment_is_ready() -> None:
    """With everything that make test installs, the first lesson runs."""
    report = doctor.examine({})
    assert report.is_ready
    assert finding(report, "pyClamd").state == "ok"


def test_queue_of_the_environment_is_looked_at(tmp_path: Path) -> None:
    """QUEUE_BASE names the directory; its queues are listed, other names are not."""
    for name in ("queue1", "queue2", "slowq", "other"):
        (tmp_path / name).mkdir()
    check = finding(doctor.examine({"QUEUE_BASE": str(tmp_path)}), "queue")
    assert check.finding == f"{tmp_path}: queue1, queue2, slowq"


def test_missing_queue_is_no_fault(tmp_path: Path) -> None:
    """A host without IndiMail is fine: the lab makes its own queues."""
    check = finding(doctor.examine({"QUEUE_BASE": str(tmp_path / "none")}), "queue")
    assert (check.state, check.finding) == ("ok", f"no {tmp_path / 'none'} on this host; the lab makes its own")


def test_missing_clamd_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without clamd the embedded scanner takes its place, and the remedy is named."""
    monkeypatch.setattr(doctor, "find_clamd", lambda: None)
    report = doctor.examine({})
    check = finding(report, "clamd")
    assert (check.state, check.remedy) == ("warn", "apt-get install clamav-daemon clamdscan")
    assert report.lessons[0].finding == "the embedded scanner takes clamd's place"


def test_missing_daemontools_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without supervise the lab works, but not with services."""
    assert finding(doctor.examine({}), "services").state == "ok"
    monkeypatch.setattr(doctor, "find_programs", lambda: (_ for _ in ()).throw(MissingPartError("x", "Install x.")))
    check = finding(doctor.examine({}), "services")
    assert (check.state, check.remedy) == ("warn", "Install x.")


def test_missing_package_makes_the_lesson_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed is named, and the exit code of the verb follows."""
    monkeypatch.setattr(doctor, "_PACKAGES", {**doctor._PACKAGES, "no-such-package": "a test"})
    report = doctor.examine({})
    assert not report.is_ready
    assert report.lessons[0].finding == "needs no-such-package"


def test_document_has_the_same_findings() -> None:
    """``--json`` says what the text says."""
    report = doctor.examine({})
    document = report.as_document()
    assert document["ok"] is report.is_ready
    assert [check["name"] for check in document["checks"]] == [check.name for check in report.checks]
