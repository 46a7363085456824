"""What was handed in, as the trainer sees it: a row for each file, whatever is in it."""

from __future__ import annotations

import json
import os

import pytest

from indimail_kit.course import EXERCISES, ClassKey, Classroom, SignatureState, new_class_key, read_hand_in
from indimail_kit.course.class_key import signed
from indimail_kit.course.hand_in import LESSONS


@pytest.fixture
def key_file(tmp_path):
    """Give a class's key."""
    new_class_key(tmp_path / "class.key")
    return tmp_path / "class.key"


def hand_in(path, learner, *numbers, key_file=None):
    """Save the file of a learner who has done these exercises."""
    room = Classroom(EXERCISES, environ={})
    room.begin(learner=learner, class_key_file=key_file)
    for number in numbers:
        room.check(number, room.solution(number).answer)
    return room.progress().save(path)


def test_each_learner_is_a_row(tmp_path, key_file):
    """How many are right in each lesson, and what the signature says."""
    files = [
        hand_in(tmp_path / "a.json", "ann", "01.1", "01.2", "02.5", key_file=key_file),
        hand_in(tmp_path / "b.json", "bob"),
        hand_in(tmp_path / "c.json", "carol", "04.9", key_file=key_file),
    ]
    files[2].write_text(
        files[2].read_text(encoding="utf-8").replace('"attempts": 1', '"attempts": 0'), encoding="utf-8"
    )
    of = {lesson: sum(one.number.startswith(lesson) for one in EXERCISES) for lesson in LESSONS}

    rows = read_hand_in(files, class_key_file=key_file).table()

    assert [(row["learner"], row["01"], row["02"], row["04"], row["signature"], row["remarks"]) for row in rows] == [
        ("ann", f"2/{of['01']}", f"1/{of['02']}", f"0/{of['04']}", "good", ""),
        ("bob", f"0/{of['01']}", f"0/{of['02']}", f"0/{of['04']}", "none", ""),
        ("carol", f"0/{of['01']}", f"0/{of['02']}", f"1/{of['04']}", "wrong", "changed since it was signed"),
    ]


def test_without_a_key_a_signature_is_not_checked(tmp_path, key_file):
    """And nothing is claimed of it."""
    files = read_hand_in(hand_in(tmp_path / "a.json", "ann", key_file=key_file))

    assert (files.files[0].signature, files.has_bad) == (SignatureState.NOT_CHECKED, False)


def test_a_directory_is_all_its_files(tmp_path, key_file):
    """By name; what is no .json is not looked at."""
    hand_in(tmp_path / "b.json", "bob")
    hand_in(tmp_path / "a.json", "ann")

    assert [one.learner for one in read_hand_in(tmp_path).files] == ["ann", "bob"]


def test_damaged_files_are_told_by_name_and_stop_nobody(tmp_path, key_file):
    """One that is cut, one that is a FIFO, one that is not there: each is a row, and the good one is read."""
    good = hand_in(tmp_path / "good.json", "ann", key_file=key_file)
    cut = tmp_path / "cut.json"
    cut.write_bytes(good.read_bytes()[:-20])
    os.mkfifo(tmp_path / "fifo.json")
    paths = [cut, tmp_path / "fifo.json", tmp_path / "gone.json", good]

    files = read_hand_in(paths, class_key_file=key_file)

    assert [(one.path.name, one.problem) for one in files.files] == [
        ("cut.json", "expected a file written by progress().save()"),
        ("fifo.json", "expected a file written by progress().save()"),
        ("gone.json", "No such file or directory"),
        ("good.json", ""),
    ]
    assert (files.has_bad, "damaged: 3" in repr(files)) == (True, True)


def test_names_cannot_steer_the_screen_or_the_page(tmp_path):
    """Hidden characters are written out, markup is text, a long name is cut."""
    hand_in(tmp_path / "a.json", "\x1b[31m\u202e<script>alert(1)</script>" + "x" * 500)
    files = read_hand_in(tmp_path / "a.json")

    assert (repr(files).count("\x1b"), repr(files).count("\u202e"), len(files.table()[0]["learner"])) == (0, 0, 40)
    assert ("<script" in files._repr_html_(), "&lt;script&gt;" in files._repr_html_()) == (False, True)


def test_two_files_of_one_name_are_told(tmp_path):
    """Ann and ANN draw the same values: the same learner twice, or one who copied."""
    hand_in(tmp_path / "a.json", "Ann")
    hand_in(tmp_path / "b.json", " ANN")
    hand_in(tmp_path / "c.json", "bob")

    assert [row["remarks"] for row in read_hand_in(tmp_path).table()] == [
        "2 files with this name",
        "2 files with this name",
        "",
    ]


def test_what_this_kit_does_not_know_is_counted(tmp_path, key_file):
    """A file of a later kit has exercises more: told, and not taken for done."""
    key = ClassKey(key_file.read_bytes().strip())
    record = {"attempts": 1, "hints": 0, "right": True, "solution_seen": False}
    document = {
        "format": "indimail-kit progress 1",
        "learner": "ann",
        "exercises": {"99.1": record, "\x1b": record},
        "goes_on_unsigned": True,
    }
    (tmp_path / "a.json").write_text(json.dumps(signed(document, key)), encoding="utf-8")

    (row,) = read_hand_in(tmp_path, class_key_file=key_file).table()

    assert (row["signature"], row["remarks"]) == (
        "good",
        "went on from a file without a good signature; exercises that this kit does not have: 2",
    )
