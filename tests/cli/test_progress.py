"""``progress``: a class's files from the command line, and the key that signs them."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from indimail_kit.cli import main
from indimail_kit.course import EXERCISES, Classroom


@pytest.fixture
def key_file(tmp_path):
    """Make a key with the verb itself."""
    path = tmp_path / "class.key"
    made = run("--new-key", str(path))
    assert (made.exit_code, made.stdout) == (0, "")
    return path


def run(*words, env=None):
    """Run the verb."""
    return CliRunner(env=env or {}).invoke(main, ["progress", *words])


def hand_in(path, learner, key_file=None):
    """Save the file of a learner who has done 01.1."""
    room = Classroom(EXERCISES, environ={})
    room.begin(learner=learner, class_key_file=key_file)
    room.check("01.1", room.solution("01.1").answer)
    return str(room.progress().save(path))


def test_good_and_unsigned_files_end_with_0(tmp_path, key_file):
    """The key by its option or by the variable: the same table."""
    files = [hand_in(tmp_path / "ann.json", "ann", key_file), hand_in(tmp_path / "bob.json", "bob")]

    by_option = run("--class-key", str(key_file), *files)
    by_variable = run(*files, env={"INDIMAIL_KIT_CLASS_KEY": str(key_file)})

    assert (by_option.exit_code, by_option.stdout) == (0, by_variable.stdout)
    assert [line.split()[0] for line in by_option.stdout.splitlines()[2:]] == ["ann", "bob"]
    assert ("good" in by_option.stdout, "none" in by_option.stdout) == (True, True)


def test_a_wrong_signature_ends_with_1(tmp_path, key_file):
    """One word was changed by hand."""
    file = hand_in(tmp_path / "ann.json", "ann", key_file)
    text = (tmp_path / "ann.json").read_text(encoding="utf-8")
    (tmp_path / "ann.json").write_text(text.replace('"ann"', '"bob"'), encoding="utf-8")

    ended = run("--class-key", str(key_file), file)

    assert (ended.exit_code, "changed since it was signed" in ended.stdout) == (1, True)


def test_json_is_one_document(tmp_path, key_file):
    """What programs read, also of a damaged file; exit code 1 for that one."""
    good = hand_in(tmp_path / "ann.json", "ann", key_file)
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")

    ended = run("--json", "--class-key", str(key_file), good, str(tmp_path / "bad.json"))
    first, second = json.loads(ended.stdout)

    assert (ended.exit_code, first["learner"], first["lessons"]["01"]["right"], first["signature"]) == (
        1,
        "ann",
        1,
        "good",
    )
    assert (second["file"], second["problem"]) == (
        str(tmp_path / "bad.json"),
        "expected a file written by progress().save()",
    )


def test_a_key_is_never_overwritten(key_file):
    """Or all that was signed so far would be wrong."""
    before = key_file.read_bytes()
    again = run("--new-key", str(key_file))

    assert (again.exit_code, "File exists" in again.stderr, key_file.read_bytes()) == (3, True, before)


def test_the_key_is_in_no_output(tmp_path, key_file):
    """Neither where it is made nor where it is used."""
    key = key_file.read_text(encoding="ascii").strip()
    file = hand_in(tmp_path / "ann.json", "ann", key_file)
    told = [run("--new-key", str(tmp_path / "other.key")), run("--class-key", str(key_file), "--json", file)]

    assert [ended.output for ended in told if key in ended.output] == []


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        ([], 2, "a FILE is wanted"),
        (["--new-key", "x.key", "."], 2, "--new-key stands alone"),
        (["none.json"], 2, "none.json"),
        (["--class-key", "none.key", "."], 3, "none.key"),
    ],
    ids=["nothing", "both", "no such file", "no such key"],
)
def test_wrong_usage_is_told(tmp_path, monkeypatch, words, exit_code, text):
    """What is wrong, and exit code 2; 3 for a key that is not there."""
    monkeypatch.chdir(tmp_path)

    ended = run(*words)

    assert (ended.exit_code, text in ended.stderr) == (exit_code, True)
