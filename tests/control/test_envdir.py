"""A variables directory is read as the recorded envdir read it, and written without a gap."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indimail_kit.control import envdir
from indimail_kit.control.envdir import EnvdirResult, apply, decode_value, read_envdir, write_variable
from indimail_kit.errors import EnvdirError

RECORDED = Path(__file__).parent.parent / "data" / "indimail" / "tools" / "envdir.txt"

FILES = {
    "A": b"/some/dir\n",
    "B": b"two\nlines\n",
    "C": b"",
    "D": b"trail \t \n",
    "E": b"nul\0inside\n",
    "F": b"nonl",
    "G": b"\n",
    "H": b"  lead\n",
    "I": b"vm\n",
    "K": b"V=x\n",
    ".hidden": b"skipped\n",
}
"""What the recorded directory held, as far as the answers tell."""


def recorded(title: str) -> dict[str, str]:
    """Return the environment that the program printed under a title (``env | cat -A``)."""
    blocks = re.split(r"^== ", RECORDED.read_text(), flags=re.MULTILINE)
    body = next(block for block in blocks if block.startswith(title)).split("\n", 1)[1]
    text = re.sub(r"\$$", "", body, flags=re.MULTILINE)
    found = re.findall(r"^([A-Z][A-Z0-9]*)=((?:.*)(?:\n(?![A-Z][A-Z0-9]*=).+)*)", text, re.MULTILINE)
    return dict(found)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Make the recorded directory."""
    made = tmp_path / "variables"
    made.mkdir()
    for name, octets in FILES.items():
        (made / name).write_bytes(octets)
    return made


@pytest.mark.parametrize("title", ["IndiMail envdir -c", "IndiMail envdir -w", "IndiMail envdir -i", "Debian envdir"])
def test_directory_sets_what_the_recorded_programs_set(directory: Path, title: str) -> None:
    """First line, trailing blanks gone, NUL as line end, empty value: as IndiMail's and djb's envdir answered."""
    assert read_envdir(directory).environment == recorded(title)


def test_empty_file_unsets_its_variable(directory: Path) -> None:
    """A file of 0 octets removes the variable, and no other one is removed."""
    assert read_envdir(directory).unset == ("C",)


def test_envfile_and_linked_envdir_are_read_as_recorded(directory: Path, tmp_path: Path) -> None:
    """.envfile sets and unsets, a linked .envdir adds, and a file of the directory itself wins over both."""
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "LNK").write_bytes(b"linked\n")
    (linked / "A").write_bytes(b"the directory wins\n")
    (directory / ".envdir").symlink_to(linked)
    (directory / ".envfile").write_bytes(b"# comment\n\nX1=v1\n  X2\nX3= sp \nB=the file wins\nX4=no line end")
    result = read_envdir(directory)
    assert result.environment == recorded("with .envdir link and .envfile")
    assert sorted(result.unset) == ["C", "X2"]


def test_subdirectory_is_fatal_as_recorded(directory: Path) -> None:
    """A variable that is a directory refuses the whole, and the error names it and says why."""
    (directory / "J").mkdir()
    with pytest.raises(EnvdirError, match="Is a directory") as caught:
        read_envdir(directory)
    assert caught.value.source == str(directory / "J")
    assert "J: is a directory" in RECORDED.read_text()


def test_subdirectory_is_left_out_and_told_when_asked(directory: Path) -> None:
    """With ignores_unreadable (envdir -i) the rest is read, and what was left out is listed."""
    (directory / "J").mkdir()
    result = read_envdir(directory, ignores_unreadable=True)
    assert (result.environment, result.unreadable) == (recorded("IndiMail envdir -i"), (str(directory / "J"),))


def test_envdir_file_lists_directories(tmp_path: Path) -> None:
    """A file .envdir names further directories, absolute or beside it; a last line without end does not count."""
    for name in ("main", "one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name.upper()).write_bytes(b"1\n")
    listed = f"{tmp_path / 'one'}\n../two\n../three"
    (tmp_path / "main" / ".envdir").write_text(listed)
    assert read_envdir(tmp_path / "main").environment == {"ONE": "1", "TWO": "1", "MAIN": "1"}


def test_envdir_loop_is_read_once(tmp_path: Path) -> None:
    """A directory that links to itself ends."""
    (tmp_path / "A").write_bytes(b"1\n")
    (tmp_path / ".envdir").symlink_to(tmp_path)
    assert read_envdir(tmp_path).environment == {"A": "1"}


def test_endless_chain_of_directories_is_refused(tmp_path: Path) -> None:
    """More directories than anybody needs raise EnvdirError, not RecursionError."""
    names = [str(tmp_path / f"d{number}") for number in range(envdir.MAX_DIRECTORIES + 1)]
    for here, following in zip(names, [*names[1:], ""], strict=True):
        Path(here).mkdir()
        Path(here, ".envdir").write_text(following + "\n" if following else "")
    with pytest.raises(EnvdirError, match="at most 64"):
        read_envdir(names[0])


@pytest.mark.parametrize("name", [".envfile", ".envdir"])
def test_dangling_link_is_fatal(tmp_path: Path, name: str) -> None:
    """A link to nowhere is a file that cannot be read, not one that is not there."""
    (tmp_path / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(EnvdirError, match="No such file"):
        read_envdir(tmp_path)


def test_envfile_that_is_a_directory_is_left_alone(tmp_path: Path) -> None:
    """A directory named .envfile says nothing."""
    (tmp_path / ".envfile").mkdir()
    assert read_envdir(tmp_path) == EnvdirResult({})


def test_nul_ends_the_first_line_of_an_envfile_and_later_the_file(tmp_path: Path) -> None:
    """NUL in .envfile acts as in the program: a line end in the first line, the end in a later one."""
    (tmp_path / ".envfile").write_bytes(b"A=1\0B=2\nC=3\nD=\0 4\nE=5\n")
    assert read_envdir(tmp_path).environment == {"A": "1", "B": "2", "C": "3"}


@pytest.mark.parametrize(
    ("name", "octets", "environment"),
    [("A=B", b"x\n", {"A": "B=x"}), ("A=B", b"", {"A": "B"}), ("=A", b"x\n", {})],
    ids=["value", "empty", "no name"],
)
def test_file_name_with_equals_is_divided_there(
    tmp_path: Path, name: str, octets: bytes, environment: dict[str, str]
) -> None:
    """A file named NAME=… sets NAME, since an environment string is divided at its first ``=``."""
    (tmp_path / name).write_bytes(octets)
    assert read_envdir(tmp_path).environment == environment


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    """A directory that is not there raises EnvdirError that says so."""
    with pytest.raises(EnvdirError, match="No such file or directory"):
        read_envdir(tmp_path / "none")


@pytest.mark.parametrize("name", ["bad\0name", "x" * 300], ids=["NUL", "too long"])
def test_impossible_directory_name_is_refused(tmp_path: Path, name: str) -> None:
    """A name that no directory can have raises EnvdirError."""
    with pytest.raises(EnvdirError):
        read_envdir(f"{tmp_path}/{name}")


def test_file_instead_of_a_directory_is_refused(tmp_path: Path) -> None:
    """A path to a file raises EnvdirError."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvdirError, match="Not a directory"):
        read_envdir(tmp_path / "file")


def test_fifo_without_a_writer_does_not_hang_the_reader(tmp_path: Path) -> None:
    """A FIFO in the directory is an empty file: the variable is unset, and nobody waits."""
    os.mkfifo(tmp_path / "FIFO")
    assert read_envdir(tmp_path).unset == ("FIFO",)


def test_fifo_with_a_silent_writer_is_unreadable(tmp_path: Path) -> None:
    """A FIFO whose writer says nothing is refused, not waited for."""
    os.mkfifo(tmp_path / "FIFO")
    descriptor = os.open(tmp_path / "FIFO", os.O_RDWR)
    try:
        with pytest.raises(EnvdirError, match=os.strerror(errno.EAGAIN)):
            read_envdir(tmp_path)
    finally:
        os.close(descriptor)


def test_socket_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket in the directory is refused with what the system says."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("SOCKET")
        with pytest.raises(EnvdirError, match=os.strerror(errno.ENXIO)):
            read_envdir(tmp_path)


def test_link_that_loops_is_unreadable(tmp_path: Path) -> None:
    """A link to itself is refused with what the system says."""
    (tmp_path / "LOOP").symlink_to(tmp_path / "LOOP")
    with pytest.raises(EnvdirError, match="Too many levels"):
        read_envdir(tmp_path)


def test_file_that_vanishes_between_listing_and_opening_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable removed at that moment is no error: it is as if the reader had come later."""
    (tmp_path / "A").write_bytes(b"1\n")
    monkeypatch.setattr(envdir, "_list_names", lambda _directory: ["A", "GONE"])
    assert read_envdir(tmp_path) == EnvdirResult({"A": "1"})


@pytest.mark.parametrize(("spare_bytes", "is_taken"), [(0, True), (-1, False)])
def test_variable_may_be_as_long_as_execve_allows(tmp_path: Path, spare_bytes: int, *, is_taken: bool) -> None:
    """NAME=value and its NUL fit in 128 KiB, or EnvdirError is raised."""
    (tmp_path / "A").write_bytes(b"x" * (envdir.MAX_VARIABLE_BYTES - len("A=\0") - spare_bytes))
    program = [sys.executable, "-c", "import os; print(len(os.environ['A']))"]
    expected = f"{envdir.MAX_VARIABLE_BYTES - 3}\n" if is_taken else "refused"
    assert output_with(tmp_path, program) == expected


def output_with(directory: Path, program: list[str]) -> str:
    """Return what a program prints with the environment of a directory, or "refused"."""
    try:
        environment = read_envdir(directory).environment
    except EnvdirError:
        return "refused"
    return subprocess.run(program, env=environment, capture_output=True, check=True, text=True).stdout


def test_huge_file_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    """A variable that is a link to an endless device raises EnvdirError."""
    (tmp_path / "A").symlink_to("/dev/zero")
    with pytest.raises(EnvdirError, match="octets in a variable"):
        read_envdir(tmp_path)


def test_longer_variable_is_what_the_system_refuses(tmp_path: Path) -> None:
    """The limit is the system's: one octet more, and no program can be started with it."""
    too_long = {"A": "x" * (envdir.MAX_VARIABLE_BYTES - len("A=\0") + 1)}
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run([sys.executable, "-c", ""], env=too_long, check=True)


def test_apply_sets_unsets_and_leaves_the_original_alone() -> None:
    """The new environment has the changes; the old mapping is as it was."""
    before = {"KEPT": "1", "GONE": "2", "CHANGED": "3"}
    after = apply(before, EnvdirResult({"CHANGED": "4", "NEW": "5"}, ("GONE", "NEVER")))
    assert after == {"KEPT": "1", "CHANGED": "4", "NEW": "5"}
    assert before == {"KEPT": "1", "GONE": "2", "CHANGED": "3"}


@pytest.mark.parametrize(
    ("value", "octets"),
    [("1", b"1\n"), ("", b"\n"), ("/usr/bin/clamdscan %s", b"/usr/bin/clamdscan %s\n"), ("a\nb", b"a\0b\n")],
)
def test_written_file_is_what_an_administrator_would_echo(tmp_path: Path, value: str, octets: bytes) -> None:
    """A value is written as ``echo`` would, an empty one as a line end, a line end inside as NUL; mode 644."""
    write_variable(tmp_path, "REJECTVIRUS", value)
    written = tmp_path / "REJECTVIRUS"
    assert (written.read_bytes(), stat.S_IMODE(written.stat().st_mode)) == (octets, 0o644)


def test_none_removes_the_file_and_may_be_repeated(tmp_path: Path) -> None:
    """None takes the variable out of the directory; there is nothing left and no error if it was not there."""
    write_variable(tmp_path, "QHPSI", "x")
    write_variable(tmp_path, "QHPSI", None)
    write_variable(tmp_path, "QHPSI", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".hidden", "A=B", "../A", "A\0", "\ud800", "x" * 300])
def test_name_cannot_leave_the_directory(tmp_path: Path, name: str) -> None:
    """A name that envdir would not read as a variable, or that points elsewhere, is refused; nothing is written."""
    inside = tmp_path / "variables"
    inside.mkdir()
    with pytest.raises(EnvdirError):
        write_variable(inside, name, "1")
    assert [path.name for path in tmp_path.rglob("*")] == ["variables"]


@pytest.mark.parametrize("value", ["a ", "a\t", "a\0b", "\ud800", "x" * envdir.MAX_VARIABLE_BYTES])
def test_value_that_would_not_come_back_is_refused(tmp_path: Path, value: str) -> None:
    """What a variable file cannot hold raises EnvdirError, and the old value stays."""
    write_variable(tmp_path, "A", "old")
    with pytest.raises(EnvdirError):
        write_variable(tmp_path, "A", value)
    assert read_envdir(tmp_path).environment == {"A": "old"}


def test_name_that_is_a_directory_is_not_replaced(tmp_path: Path) -> None:
    """A directory in the way raises EnvdirError, and no temporary file stays behind."""
    (tmp_path / "A").mkdir()
    with pytest.raises(EnvdirError, match="can be written"):
        write_variable(tmp_path, "A", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["A"]


@pytest.mark.parametrize("value", ["1", None])
def test_missing_directory_is_refused_for_writing(tmp_path: Path, value: str | None) -> None:
    """Writing makes no directory; a parent that is a file is an error for removing as well."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EnvdirError, match="Not a directory"):
        write_variable(tmp_path / "file", "A", value)


def test_full_disk_leaves_the_old_value_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the new value cannot be made durable, the old one stays and the temporary file goes."""

    def no_space(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_variable(tmp_path, "A", "old")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(EnvdirError, match="No space left"):
        write_variable(tmp_path, "A", "new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"A": b"old\n"}


def test_reader_sees_the_old_or_the_new_value_while_it_is_written(tmp_path: Path) -> None:
    """A reader beside a writer sees one of the two long values whole, each time."""
    values = ("a" * 5000, "b" * 5000)
    write_variable(tmp_path, "A", values[0])

    def write() -> None:
        for number in range(60):
            write_variable(tmp_path, "A", values[number % 2])

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(read_envdir(tmp_path).environment["A"])
    writer.join()
    assert seen <= set(values)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60))
def test_any_octets_are_a_value(tmp_path: Path, octets: bytes) -> None:
    """Whatever a file holds is a value or "unset", and no octet of the first line but trailing blanks is lost."""
    (tmp_path / "A").write_bytes(octets)
    value = read_envdir(tmp_path).environment.get("A")
    expected = octets.split(b"\n")[0].rstrip(b" \t").replace(b"\0", b"\n")
    assert (None if value is None else os.fsencode(value)) == (expected if octets else None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=80), st.sampled_from([".envfile", ".envdir"]))
def test_any_octets_in_the_dot_files_are_read_or_refused(tmp_path: Path, octets: bytes, name: str) -> None:
    """Whatever the dot files hold: a result, or EnvdirError."""
    for dot_file in (".envfile", ".envdir"):
        (tmp_path / dot_file).write_bytes(octets if dot_file == name else b"")
    assert set_and_unset(tmp_path) == set()


def set_and_unset(directory: Path) -> set[str]:
    """Return the names that a reading both sets and unsets; none where it is refused."""
    try:
        result = read_envdir(directory)
    except EnvdirError:
        return set()
    return set(result.environment) & set(result.unset)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20))
def test_written_value_is_read_back(tmp_path: Path, value: str) -> None:
    """Any value without NUL and without blanks at its end comes back."""
    kept = value.rstrip(" \t")
    write_variable(tmp_path, "A", kept)
    assert read_envdir(tmp_path).environment == {"A": kept}


@pytest.mark.parametrize(
    ("octets", "value"), [(b"", None), (b"\n", ""), (b" \n", ""), (b"a\nb", "a"), (b"\xff", "\udcff")]
)
def test_octets_mean_their_first_line(octets: bytes, value: str | None) -> None:
    """decode_value follows the three rules of envdir(8): first line, no trailing blanks, nothing means unset."""
    assert decode_value(octets) == value
