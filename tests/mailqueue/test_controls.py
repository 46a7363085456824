"""The control files of qmail-queue: what they say, what goes before them, and what happens when they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indimail_kit.errors import QueueError
from indimail_kit.mailqueue.controls import read_control, read_queue_base, read_settings
from indimail_kit.mailqueue.values import QueueSettings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose control directory is empty."""
    return {"CONTROLDIR": str(tmp_path)}


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (b"", ()),
        (b"a@b", ("a@b",)),
        (b"a@b \t\n\n# comment\nc@d\n", ("a@b", "c@d")),
        (b" # no comment\n", (" # no comment",)),
        (b"a\0b\nc\n", ("a", "c")),
        (b"\xff\n", ("\udcff",)),
    ],
    ids=["empty", "no newline", "comment", "blank first", "NUL", "8-bit"],
)
def test_lines_are_those_of_control_readfile(
    tmp_path: Path, environ: dict[str, str], octets: bytes, lines: tuple[str, ...]
) -> None:
    """Comments, empty lines and white space at the end go; what stands behind a NUL is not seen by C."""
    (tmp_path / "extraqueue").write_bytes(octets)
    assert read_control("extraqueue", environ) == lines


def test_missing_control_file_says_nothing(environ: dict[str, str]) -> None:
    """Neither does a missing control directory."""
    assert read_settings(environ) == read_settings({"CONTROLDIR": "/nonexistent"}) == QueueSettings()


def test_control_file_that_cannot_be_read_is_55(tmp_path: Path, environ: dict[str, str]) -> None:
    """A directory in its place: to go on without the quarantine would let mail through."""
    (tmp_path / "quarantine").mkdir()
    with pytest.raises(QueueError, match="unable to read configuration quarantine") as caught:
        read_settings(environ)
    assert caught.value.exit_code == 55


def test_control_file_without_end_is_55(tmp_path: Path, environ: dict[str, str]) -> None:
    """Above 1 MiB nobody meant it."""
    with (tmp_path / "envheaders").open("wb") as file:
        file.truncate(2**20 + 1)
    with pytest.raises(QueueError, match="above 1 MiB") as caught:
        read_settings(environ)
    assert caught.value.exit_code == 55


def test_fifo_in_the_place_of_a_control_file_does_not_hold_the_mail_up(tmp_path: Path, environ: dict[str, str]) -> None:
    """Nobody writes to it: it is empty."""
    os.mkfifo(tmp_path / "extraqueue")
    assert read_settings(environ) == QueueSettings()


SETTINGS = [
    ({}, QueueSettings(("log@x", "log2@x"), "q@x", ("Subject", "X-Spam:20"))),
    ({"EXTRAQUEUE": "e@x", "QUARANTINE": "f@x"}, QueueSettings(("e@x",), "f@x", ("Subject", "X-Spam:20"))),
    ({"EXTRAQUEUE": "", "QUARANTINE": "", "ENVHEADERS": ""}, QueueSettings()),
    ({"ENVHEADERS": "other", "QUARANTINE": "", "EXTRAQUEUE": ""}, QueueSettings(envheaders=("From",))),
    ({"ENVHEADERS": "/nonexistent", "QUARANTINE": "", "EXTRAQUEUE": ""}, QueueSettings()),
    ({"FASTQUEUE": "1"}, QueueSettings()),
]
"""Variables -> what they and the control files say. Source: qmail-queue.c `read_control()`."""


@pytest.mark.parametrize(("variables", "settings"), SETTINGS, ids=[str(variables) for variables, _ in SETTINGS])
def test_variable_goes_before_its_control_file(
    tmp_path: Path, environ: dict[str, str], variables: dict[str, str], settings: QueueSettings
) -> None:
    """Set it counts, set and empty it switches the file off, ENVHEADERS names another file."""
    for name, text in (
        ("extraqueue", "log@x\nlog2@x\n"),
        ("quarantine", "q@x\nnobody@x\n"),
        ("envheaders", "Subject\nX-Spam:20\n"),
        ("other", "From\n"),
    ):
        (tmp_path / name).write_text(text, encoding="ascii")
    assert read_settings(environ | variables) == settings


@pytest.mark.parametrize("name", ["removeheaders", "mailarchive"])
def test_what_the_kit_does_not_know_stops_the_mail(tmp_path: Path, environ: dict[str, str], name: str) -> None:
    """To go on would keep a header that was to go, or leave an archive without the mail; who wants it says so."""
    (tmp_path / name).write_text("Subject\n", encoding="ascii")
    with pytest.raises(QueueError, match=f"{name} is set") as caught:
        read_settings(environ)
    assert (caught.value.exit_code, read_settings(environ | {name.upper(): ""})) == (55, QueueSettings())


def test_queue_base_comes_from_its_control_file(tmp_path: Path, environ: dict[str, str]) -> None:
    """Without one it is the default."""
    before = read_queue_base(environ, default=Path("/default"))
    (tmp_path / "queue_base").write_text("# where\n/srv/queue\n", encoding="ascii")
    assert (before, read_queue_base(environ)) == (Path("/default"), Path("/srv/queue"))
