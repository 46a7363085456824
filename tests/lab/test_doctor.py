"""The doctor says what is there, what is not, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from indimail_kit.errors import MissingPartError
from indimail_kit.lab import doctor

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def finding(report: doctor.Report, name: str) -> doctor.Check:
    """Return the check of a name."""
    return next(check for check in report.checks if check.name == name)


def test_this_environment_is_ready() -> None:
    """With everything that make test installs, every lesson runs."""
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
    assert report.lessons[0] == doctor.Lesson(
        "00_start_here.ipynb", is_ready=True, finding="the embedded scanner takes clamd's place"
    )
    assert report.lessons[2] == doctor.Lesson("02_qhpsi.ipynb", is_ready=False, finding="needs clamd")


def test_missing_daemontools_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without supervise the lab works, but not with services, which the lesson on scanning has."""
    assert finding(doctor.examine({}), "services").state == "ok"
    monkeypatch.setattr(doctor, "find_programs", lambda: (_ for _ in ()).throw(MissingPartError("x", "Install x.")))
    report = doctor.examine({})
    check = finding(report, "services")
    assert (check.state, check.remedy) == ("warn", "Install x.")
    assert {lesson.finding for lesson in report.lessons if not lesson.is_ready} == {"needs services"}


def forget_packages(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make packages look as if they were not installed."""
    version = doctor.metadata.version

    def look(name: str) -> str:
        if name in names:
            raise doctor.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(doctor.metadata, "version", look)


def test_missing_package_makes_the_lessons_unready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed is named, and the exit code of the verb follows."""
    forget_packages(monkeypatch, "ipywidgets", "aiosmtpd")
    report = doctor.examine({})
    assert not report.is_ready
    assert {lesson.finding for lesson in report.lessons} == {"needs aiosmtpd, ipywidgets"}


def test_one_of_two_scanners_is_enough_for_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """With clamd the first lesson needs no embedded scanner; with neither it has none."""
    forget_packages(monkeypatch, "yara-python")
    with_clamd = doctor.examine({}).lessons[0]
    monkeypatch.setattr(doctor, "find_clamd", lambda: None)
    with_neither = doctor.examine({}).lessons[0]

    assert (with_clamd.is_ready, with_clamd.finding) == (True, "a real clamd scans")
    assert (with_neither.is_ready, with_neither.finding) == (False, "needs clamd or yara-python")


def test_missing_compiler_changes_one_exercise(tmp_path: Path) -> None:
    """Without a C compiler the lesson runs, and says what it does instead."""
    lesson = doctor.examine({"PATH": str(tmp_path)}).lessons[2]

    assert (lesson.is_ready, "instead of the sample plugin" in lesson.finding) == (True, True)


def test_every_lesson_has_its_row() -> None:
    """A notebook that exists stands in the table LESSONS of the doctor, and the table names no other."""
    notebooks = sorted(path.name for path in NOTEBOOKS.glob("[0-9]*.ipynb"))

    assert [needs.notebook for needs in doctor.LESSONS] == notebooks


def test_lessons_need_only_what_is_looked_at() -> None:
    """Each part that a lesson needs, or wishes for, is a check's name: a slip of the pen would never be found."""
    names = {check.name for check in doctor.examine({}).checks}
    parts = {part for needs in doctor.LESSONS for group in needs.parts for part in group}
    wishes = {wish.part for needs in doctor.LESSONS for wish in needs.wishes}

    assert (parts | wishes) - names == set()


def test_document_has_the_same_findings() -> None:
    """``--json`` says what the text says."""
    report = doctor.examine({})
    document = report.as_document()
    assert document["ok"] is report.is_ready
    assert [check["name"] for check in document["checks"]] == [check.name for check in report.checks]
