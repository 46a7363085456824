"""The file of progress: what we wrote is read, and nothing else is."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit.course.progress import FORMAT, MAX_FILE_BYTES, Progress, Record, Row, read_progress
from indimail_kit.errors import FormatError

COUNTS = st.integers(min_value=0, max_value=99)
RECORDS = st.builds(Record, COUNTS, COUNTS, st.booleans(), st.booleans())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(), record=RECORDS)
def test_what_was_saved_is_read(tmp_path, name, record):
    """Any name in any script, lone surrogates too, any counts; an exercise that nobody looked at is left out."""
    path = Progress(name, (Row("01.1", "◯", "a", record), Row("01.2", "◯", "b", Record()))).save(tmp_path / "p.json")
    records = {"01.1": record} if record != Record() else {}

    saved = read_progress(path)

    assert (saved.learner, saved.records, saved.goes_on_unsigned) == (name, records, False)


GOOD = {"attempts": 1, "hints": 0, "right": True, "solution_seen": False}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"format": "another"},
        {"format": FORMAT},
        {"format": FORMAT, "learner": 1, "exercises": {}},
        {"format": FORMAT, "learner": "ann", "exercises": []},
        {"format": FORMAT, "learner": "ann", "exercises": {}, "goes_on_unsigned": 1},
        {"format": FORMAT, "learner": "ann", "exercises": {"01.1": 1}},
        *(
            {"format": FORMAT, "learner": "ann", "exercises": {"01.1": {**GOOD, **wrong}}}
            for wrong in ({"attempts": -1}, {"attempts": True}, {"hints": "1"}, {"right": 1}, {"solution_seen": None})
        ),
    ],
    ids=json.dumps,
)
def test_another_document_is_refused(tmp_path, document):
    """Each field has its type; anything else is told, with the file's name."""
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(FormatError, match=r"other\.json.*a file written by progress"):
        read_progress(path)


@pytest.mark.parametrize(
    "octets", [b"", b"\xff\xfe", b"[" * 100_000, b"nonsense"], ids=["empty", "binary", "deep", "text"]
)
def test_what_is_no_json_is_refused(tmp_path, octets):
    """Also octets that drive a parser into recursion."""
    path = tmp_path / "other.json"
    path.write_bytes(octets)

    with pytest.raises(FormatError):
        read_progress(path)


def test_a_huge_file_is_not_read(tmp_path):
    """One octet more than the limit is refused, before it is read."""
    path = tmp_path / "huge.json"
    path.write_bytes(b" " * (MAX_FILE_BYTES + 1))

    with pytest.raises(FormatError):
        read_progress(path)


def test_a_fifo_is_not_waited_for(tmp_path):
    """A name that nobody writes to is refused at once; a directory, too."""
    os.mkfifo(tmp_path / "fifo.json")

    with pytest.raises(FormatError):
        read_progress(tmp_path / "fifo.json")
    with pytest.raises(FormatError):
        read_progress(tmp_path)


def test_the_table_reads_as_text():
    """A line for the whole, a line for each exercise; a name cannot steer the screen."""
    rows = (
        Row("01.1", "◯", "first", Record(2, 1, True)),
        Row("01.2", "●", "second", Record(1)),
        Row("01.3", "◐", "x", Record()),
    )

    assert repr(Progress("a\x1b[31mnn", rows)) == (
        "a\\x1b[31mnn: 1 of 3 exercises done\n"
        "  ✅ 01.1  ◯ first   answers: 2, hints: 1\n"
        "  ❌ 01.2  ● second  answers: 1\n"
        "  ☐  01.3  ◐ x"
    )


def test_a_name_is_escaped_in_html():
    """The table on a teacher's screen runs nothing."""
    html = Progress("<script>alert(1)</script>", (Row("01.1", "◯", "a", Record()),))._repr_html_()

    assert ("<script" in html, "&lt;script&gt;" in html) == (False, True)
