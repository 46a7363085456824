"""A service's state is read as both svstat programs read it; looking changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.control import supervise
from indimail_kit.control.supervise import (
    CONTROLS,
    Service,
    ServiceStatus,
    decode_status,
    read_service,
    send_control,
)
from indimail_kit.control.svstat import format_debian, format_indimail, indimail_exit_code
from indimail_kit.errors import SuperviseError
from indimail_kit.tai64 import to_tai64n

TOOLS = Path(__file__).parent.parent / "data" / "indimail" / "tools"
SINCE_NS = 1_795_000_000_123_456_500


def status_octets(
    *, pid: int = 4711, paused: int = 0, want: int = ord("u"), tail: bytes = b"", since_ns: int = SINCE_NS
) -> bytes:
    """Return a status file put together here: 18 octets, or 21 with a tail."""
    label = bytes.fromhex(to_tai64n(since_ns)[1:].decode())
    return label + pid.to_bytes(4, "little") + bytes([paused, want]) + tail


def service_of(octets: bytes, *, name: str = "demo", is_normally_up: bool = True) -> Service:
    """Return a service in whose status file these octets are."""
    return Service(
        directory=Path(name),
        is_supervised=True,
        status=decode_status(octets),
        is_normally_up=is_normally_up,
        has_log=False,
        supervise_directory=Path(name, "supervise"),
    )


def recorded(name: str) -> list[tuple[str, str, bytes, int | None]]:
    """Return (title, line of svstat, octets of the status file, exit code) for each service in a recorded file."""
    cases = []
    for block in re.split(r"^--- ", (TOOLS / name).read_text(), flags=re.MULTILINE)[1:]:
        lines = re.findall(r"^(?:demo|downsvc): .*$", block, re.MULTILINE)
        codes = [int(code) for code in re.findall(r"^\[rc=(\d+)\]$", block, re.MULTILINE)]
        dumps = re.findall(r"^0000000[0]: ((?:[0-9a-f]{4} )+).*\n^00000010: ((?:[0-9a-f]{2,4} )+)", block, re.MULTILINE)
        octets = [bytes.fromhex("".join(dump).replace(" ", "")) for dump in dumps]
        own = codes if len(codes) == len(lines) else [None] * len(lines)
        cases += [(block.split("\n", 1)[0], *one) for one in zip(lines, octets, own, strict=False)]
    return cases


DEBIAN = recorded("supervise-debian-svc-indimail-supervise.txt")
INDIMAIL = recorded("supervise-indimail.txt")


def case_id(case: object) -> str | None:
    """Return a readable id."""
    return case.split(" seconds")[0] if isinstance(case, str) else ""


# --- recorded answers of the real programs ------------------------------------------------------------------------


def test_recordings_are_complete() -> None:
    """Five moments of two services by Debian's svstat, four by IndiMail's, with their octets."""
    assert (len(DEBIAN), len(INDIMAIL)) == (10, 8)


@pytest.mark.parametrize(("title", "line", "octets", "_code"), DEBIAN, ids=case_id)
def test_debian_svstat_of_indimails_status(title: str, line: str, octets: bytes, _code: None) -> None:
    """Debian's svstat on IndiMail's 21 octets, letter for letter: it calls a service that is down up."""
    service = service_of(octets, name=line.split(":")[0], is_normally_up=not line.startswith("downsvc"))
    (seconds,) = re.findall(r"(\d+) seconds", line)
    assert service.status is not None
    assert format_debian(service, now_ns=service.status.since_ns + int(seconds) * 10**9) == line


@pytest.mark.parametrize(("title", "line", "octets", "code"), INDIMAIL, ids=case_id)
def test_indimail_svstat_letter_for_letter(title: str, line: str, octets: bytes, code: int) -> None:
    """IndiMail's line and exit code; its clock gives whole microseconds and 500 ns, which proves the missing one."""
    service = service_of(octets, name=line.split(":")[0], is_normally_up=not line.startswith("downsvc"))
    ((seconds, fraction),) = re.findall(r"(\d+)\.(\d+) seconds", line)
    assert service.status is not None
    now_ns = service.status.since_ns + int(seconds) * 10**9 + int(fraction) + 1
    assert now_ns % 1000 == 500
    assert (format_indimail(service, now_ns=now_ns), indimail_exit_code(service)) == (line, code)


@pytest.mark.parametrize(
    ("octets", "is_up", "service_pid"),
    [
        pytest.param(status_octets(), True, 4711, id="djb up"),
        pytest.param(status_octets(pid=0, want=ord("d")), False, None, id="djb down"),
        pytest.param(status_octets(tail=b"\0\0\1"), True, 4711, id="IndiMail up"),
        pytest.param(status_octets(want=ord("d"), tail=b"\0\0\0"), False, None, id="IndiMail down, pid is supervise's"),
    ],
)
def test_length_tells_how_to_read_the_pid(octets: bytes, is_up: bool, service_pid: int | None) -> None:
    """In 21 octets the last one says up or down, and the pid may be supervise's own."""
    status = decode_status(octets)
    assert (status.is_up, status.service_pid, status.since_ns) == (is_up, service_pid, SINCE_NS)


# --- lines and exit codes that no recording has, from the sources --------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "is_normally_up", "line"),
    [
        (status_octets(pid=0, want=ord("d")), True, "demo: down 7 seconds, normally up"),
        (status_octets(pid=0, want=ord("u")), False, "demo: down 7 seconds, want up"),
        (
            status_octets(paused=1, want=ord("d")),
            False,
            "demo: up (pid 4711) 7 seconds, normally down, paused, want down",
        ),
        (status_octets(want=0), True, "demo: up (pid 4711) 7 seconds"),
    ],
    ids=["down", "want up", "everything", "once"],
)
def test_debian_remarks_in_their_order(octets: bytes, is_normally_up: bool, line: str) -> None:
    """The remarks of svstat.c, in its order."""
    assert format_debian(service_of(octets, is_normally_up=is_normally_up), now_ns=SINCE_NS + 7 * 10**9) == line


@pytest.mark.parametrize(
    ("octets", "is_normally_up", "line", "code"),
    [
        (
            status_octets(want=ord("d"), paused=1, tail=b"\0\0\1"),
            False,
            "demo: up 7.0 seconds, normally down, paused, want down  pid 4711 ",
            5,
        ),
        (status_octets(tail=b"\x09\0\0"), True, "demo: wait 7.0 seconds spid 4711 remaining 2 seconds", 1),
        (status_octets(tail=b"\xff\xff\0"), True, "demo: wait 7.0 seconds spid 4711 ", 1),
        (status_octets(pid=0, tail=b"\0\0\0"), True, "demo: down 7.1 seconds, normally up, want up", 4),
        (status_octets(), True, "demo: unable to read supervise/status: bad format", 100),
    ],
    ids=["up, everything", "waits 9 s", "waits without end", "no pid at all", "18 octets"],
)
def test_indimail_remarks_and_exit_codes(octets: bytes, is_normally_up: bool, line: str, code: int) -> None:
    """The remarks of IndiMail's svstat.c 1.9, with the fraction of today's."""
    service = service_of(octets, is_normally_up=is_normally_up)
    assert format_indimail(service, now_ns=SINCE_NS + 7 * 10**9 + 1) == line
    assert indimail_exit_code(service) == code


@pytest.mark.parametrize("printed", [format_debian, format_indimail])
def test_label_in_the_future_is_zero_seconds(printed: Callable[..., str]) -> None:
    """A clock that was set back gives 0 seconds, not a negative number."""
    service = service_of(status_octets(tail=b"\0\0\1"))
    assert re.search(r" 0(\.0)? seconds", printed(service, now_ns=SINCE_NS - 10**12))


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        *((status_octets(tail=b"\0\0\1")[:length], f"it has {length}") for length in (0, 1, 17, 19, 20)),
        (status_octets(tail=b"\0\0\1") + b"\0", "it has 22"),
        (bytes(18), "between 1970 and 2262"),
        (b"\xff" * 21, "paused"),
        (status_octets(paused=2), "paused"),
        (status_octets(want=ord("x")), "wanted"),
        (status_octets(tail=b"\0\0\2"), "up"),
        (status_octets()[:8] + b"\xff\xff\xff\xff" + status_octets()[12:], "nanoseconds"),
        (b"\x7f" * 8 + status_octets()[8:], "between 1970 and 2262"),
    ],
)
def test_what_supervise_does_not_write_is_refused(octets: bytes, expected: str) -> None:
    """A wrong length or an octet out of its range is an error that says which."""
    with pytest.raises(SuperviseError, match=expected):
        decode_status(octets)


@given(st.binary(min_size=15, max_size=24))
def test_any_octets_give_a_status_or_a_clear_error(octets: bytes) -> None:
    """Garbage never gives anything else than SuperviseError."""
    try:
        status = decode_status(octets)
    except SuperviseError:
        return
    assert isinstance(status, ServiceStatus)


# --- directories ---------------------------------------------------------------------------------------------------


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Make a service directory in which nothing runs; its supervise directory is whole."""
    directory = tmp_path / "demo"
    (directory / "supervise").mkdir(parents=True)
    (directory / "run").write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
    (directory / "run").chmod(0o755)
    os.mkfifo(directory / "supervise" / "ok", 0o600)
    os.mkfifo(directory / "supervise" / "control", 0o600)
    (directory / "supervise" / "status").write_bytes(status_octets())
    return directory


def hold(path: Path) -> int:
    """Hold a FIFO open for reading, as supervise does."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.fixture
def held(demo: Path) -> Iterator[Path]:
    """Play the part of supervise that svok sees."""
    ends = [hold(demo / "supervise" / name) for name in ("ok", "control")]
    yield demo
    for end in ends:
        os.close(end)


def test_service_without_a_supervise_has_no_state(demo: Path) -> None:
    """An old status file counts for nothing when no supervise holds ok."""
    service = read_service(demo)
    assert (service.is_supervised, service.status, service.is_up, service.state) == (False, None, None, "no supervise")
    assert format_debian(service, now_ns=0) == f"{demo}: supervise not running"
    assert format_indimail(service, now_ns=0).endswith("supervise/ok: supervise not running: device not configured")
    assert indimail_exit_code(service) == 2
    assert not service.is_as_it_should_be


def test_service_where_no_supervise_ever_ran(demo: Path) -> None:
    """A directory with only a run file is a service, not an error."""
    shutil.rmtree(demo / "supervise")
    assert format_debian(read_service(demo), now_ns=0).endswith("unable to open supervise/ok: file does not exist")
    assert format_indimail(read_service(demo), now_ns=0).endswith("supervise/ok: file does not exist")


def test_reading_changes_nothing(held: Path) -> None:
    """Octets, times, modes and links of everything are as before, and no command is in the FIFO."""

    def picture() -> dict[str, tuple[object, ...]]:
        return {
            str(path): (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_nlink, status.st_size)
            for path in sorted(held.rglob("*"))
            for status in [path.lstat()]
        }

    before = picture()
    service = read_service(held)
    assert (service.is_up, picture()) == (True, before)


def test_link_to_a_service_is_followed(held: Path) -> None:
    """/service holds links; the name is the link's."""
    (held.parent / "other").symlink_to(held)
    service = read_service(held.parent / "other")
    assert (service.name, service.is_up) == ("other", True)


@pytest.mark.parametrize(("has_down", "state"), [(False, True), (True, False)])
def test_file_down_is_seen(held: Path, has_down: bool, state: bool) -> None:
    """A file down means: not started by itself."""
    if has_down:
        (held / "down").touch()
    assert read_service(held).is_normally_up is state


def test_dangling_link_named_down_is_no_down(held: Path) -> None:
    """A link that leads nowhere is not there for stat(), which supervise uses."""
    (held / "down").symlink_to("nowhere")
    assert read_service(held).is_normally_up


def test_log_service_has_its_services_name(held: Path) -> None:
    """The log of a service is a service too, named after it."""
    shutil.copytree(held, held / "log", ignore=lambda *_: ["supervise"])
    assert read_service(held).has_log
    assert read_service(held / "log").name == "demo/log"


def test_indimails_run_directory_is_found(demo: Path, tmp_path: Path) -> None:
    """With a service directory that cannot be written, IndiMail's supervise keeps its files below /run/svscan."""
    run = tmp_path / "run" / "svscan"
    run.mkdir(parents=True)
    (demo / "supervise").rename(run / "supervise")
    (run / "demo").mkdir()
    (run / "supervise").rename(run / "demo" / "supervise")
    end = hold(run / "demo" / "supervise" / "ok")
    service = read_service(demo, run_directories=(tmp_path / "none", run))
    os.close(end)
    assert (service.is_up, service.supervise_directory) == (True, run / "demo" / "supervise")


def test_log_in_indimails_run_directory_is_found(demo: Path, tmp_path: Path) -> None:
    """The log's files are below its service's name."""
    (demo / "log").mkdir()
    (tmp_path / "run" / "demo").mkdir(parents=True)
    (demo / "supervise").rename(tmp_path / "run" / "demo" / "log")
    (tmp_path / "run" / "demo" / "log").rename(tmp_path / "run" / "supervise")
    (tmp_path / "run" / "demo" / "log").mkdir()
    (tmp_path / "run" / "supervise").rename(tmp_path / "run" / "demo" / "log" / "supervise")
    service = read_service(demo / "log", run_directories=(tmp_path / "run",))
    assert service.supervise_directory == tmp_path / "run" / "demo" / "log" / "supervise"


def test_service_of_the_same_name_elsewhere_is_not_taken_for_ours(held: Path, tmp_path: Path) -> None:
    """A directory with a supervise of its own is never looked up by its name alone."""
    (tmp_path / "run" / "demo" / "supervise").mkdir(parents=True)
    assert read_service(held, run_directories=(tmp_path / "run",)).supervise_directory == held / "supervise"


@pytest.mark.parametrize("name", ["none", "file", "empty", "na\0me"])
def test_what_is_no_service_is_refused(tmp_path: Path, name: str) -> None:
    """A missing directory, a file, an empty directory, a name that nothing can have."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SuperviseError, match="service directory"):
        read_service(tmp_path / name)


@pytest.mark.parametrize("place", [Path.symlink_to, Path.hardlink_to], ids=["link", "file"])
def test_ok_that_is_a_link_or_a_file_is_not_opened(demo: Path, place: Callable[[Path, Path], None]) -> None:
    """Nothing but a FIFO is opened for writing, wherever a link leads."""
    victim = demo.parent / "victim"
    victim.write_bytes(b"precious")
    (demo / "supervise" / "ok").unlink()
    place(demo / "supervise" / "ok", victim)
    with pytest.raises(SuperviseError, match="FIFO"):
        read_service(demo)
    assert victim.read_bytes() == b"precious"


def test_status_that_is_no_plain_file_is_refused(held: Path) -> None:
    """A FIFO or a link in place of the status file neither hangs nor leads away."""
    path = held / "supervise" / "status"
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(SuperviseError, match="no plain file"):
        read_service(held)
    path.unlink()
    with pytest.raises(SuperviseError, match="No such file"):
        read_service(held)


def test_broken_status_names_the_file(held: Path) -> None:
    """The error says which file and where in it."""
    (held / "supervise" / "status").write_bytes(status_octets(want=7))
    with pytest.raises(SuperviseError) as caught:
        read_service(held)
    assert str(caught.value).startswith(f"{held}/supervise/status, octet 17: expected u, d or NUL")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_plain_user_is_told_to_try_as_root(held: Path) -> None:
    """The directory of supervise has mode 700: the error says what helps."""
    (held / "supervise").chmod(0o700)
    for place in [held, *held.parents]:
        if place.stat().st_uid == os.geteuid() and str(place).startswith("/tmp/"):
            place.chmod(place.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        with pytest.raises(SuperviseError, match="try as root"):
            read_service(held)
    finally:
        os.seteuid(0)


def test_directory_that_may_not_be_read_is_an_error(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without the right to look into it is not "no service"."""

    def refuse(_path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(SuperviseError, match="Permission denied"):
        read_service(held)


# --- commands ------------------------------------------------------------------------------------------------------


def test_commands_are_svcs_octets(demo: Path) -> None:
    """What supervise finds in its FIFO is what svc writes."""
    ends = [hold(demo / "supervise" / name) for name in ("ok", "control")]
    send_control(read_service(demo), "dx")
    octets = os.read(ends[1], 10)
    for end in ends:
        os.close(end)
    assert octets == b"dx"


def test_command_without_a_supervise_is_an_error(demo: Path) -> None:
    """Nobody would take it, and the open would wait for ever."""
    with pytest.raises(SuperviseError, match="a supervise that runs"):
        send_control(read_service(demo), "u")


def test_supervise_that_takes_nothing_is_an_error(held: Path) -> None:
    """A FIFO that is full does not make us wait."""
    descriptor = os.open(held / "supervise" / "control", os.O_WRONLY | os.O_NONBLOCK)
    try:
        while os.write(descriptor, b"c" * 4096):
            pass
    except BlockingIOError:
        pass
    with pytest.raises(SuperviseError, match="takes commands"):
        send_control(read_service(held), "u")
    os.close(descriptor)


@pytest.mark.parametrize("commands", ["", "z", "u d"])
def test_unknown_command_is_refused(held: Path, commands: str) -> None:
    """Only svc's letters reach the FIFO."""
    with pytest.raises(ValueError, match="letters of"):
        send_control(read_service(held), commands)


# --- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "is_normally_up", "state", "is_good", "remark"),
    [
        (status_octets(), True, "up", True, ""),
        (status_octets(), False, "up", True, "file down"),
        (status_octets(pid=0, want=ord("d")), False, "down", True, "file down"),
        (status_octets(pid=0, want=ord("d")), True, "down", False, "no file down"),
        (status_octets(pid=0, want=ord("u")), False, "down", False, "told to bring it up"),
        (status_octets(want=ord("d")), True, "up", False, "told to bring it down"),
        (status_octets(paused=1), True, "paused", False, "SIGSTOP"),
        (status_octets(want=0), True, "up", True, "once"),
        (status_octets(tail=b"\x05\0\0"), True, "waits", False, "waits 5 s"),
        (status_octets(tail=b"\xff\xff\0"), True, "waits", False, "waits for another"),
    ],
)
def test_state_in_words(octets: bytes, is_normally_up: bool, state: str, is_good: bool, remark: str) -> None:
    """What an administrator reads: the state, whether it is as it should be, and what to know."""
    service = service_of(octets, is_normally_up=is_normally_up)
    assert (service.state, service.is_as_it_should_be) == (state, is_good)
    assert remark in "; ".join(service.remarks)
    assert bool(remark) == bool(service.remarks)


# --- the real programs ---------------------------------------------------------------------------------------------

needs_daemontools = pytest.mark.skipif(
    os.environ.get("CI") != "true" and shutil.which("supervise") is None, reason="daemontools is not installed"
)


def until(true: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Path]:
    """Run Debian's supervise on a service that sleeps; end both."""
    directory = tmp_path / "real"
    directory.mkdir()
    (directory / "run").write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
    (directory / "run").chmod(0o755)
    with subprocess.Popen(["supervise", str(directory)]) as process:
        until(lambda: read_service(directory).is_up is True)
        yield directory
        if (left := read_service(directory)).is_supervised:
            send_control(left, "cdx")
        process.wait(10)


def svstat(directory: Path) -> str:
    """Return what the real svstat says, without its line end."""
    return subprocess.run(["svstat", str(directory)], capture_output=True, text=True).stdout.rstrip("\n")


def both(directory: Path) -> tuple[str, str]:
    """Return our line and the real one, of the same second."""
    while True:
        before = time.time_ns()
        pair = format_debian(read_service(directory), now_ns=before), svstat(directory)
        if before // 10**9 == time.time_ns() // 10**9:
            return pair


@needs_daemontools
def test_same_line_as_debians_svstat_through_a_services_life(real: Path) -> None:
    """Up, paused, going on, normally down, down: our line is the real one each time, and svok agrees."""
    lines = []
    for commands, true in [
        ("", lambda service: service.is_up),
        ("p", lambda service: service.status.is_paused),
        ("c", lambda service: not service.status.is_paused),
        ("o", lambda service: service.status.want == ""),
        ("d", lambda service: not service.is_up),
    ]:
        if commands:
            send_control(read_service(real), commands)
        until(lambda true=true: bool(true(read_service(real))))
        ours, theirs = both(real)
        assert ours == theirs
        lines.append(ours)
        (real / "down").touch()
        ours, theirs = both(real)
        assert ours == theirs
        (real / "down").unlink()
    assert [bool(re.search(r"up \(pid", line)) for line in lines] == [True, True, True, True, False]
    assert subprocess.run(["svok", str(real)]).returncode == 0


@needs_daemontools
def test_same_line_as_debians_svstat_after_its_end(real: Path) -> None:
    """When supervise has ended, both say so."""
    send_control(read_service(real), "dx")
    until(lambda: not read_service(real).is_supervised)
    assert format_debian(read_service(real), now_ns=0) == svstat(real)
    assert subprocess.run(["svok", str(real)]).returncode == 100


@needs_daemontools
def test_supervises_own_files_are_what_we_expect(real: Path) -> None:
    """The types and modes that reading relies on."""
    kinds = {path.name: stat.filemode(path.lstat().st_mode) for path in (real / "supervise").iterdir()}
    assert kinds == {"control": "prw-------", "lock": "-rw-------", "ok": "prw-------", "status": "-rw-r--r--"}


def test_every_control_has_its_meaning() -> None:
    """The letters are those of svc(8)."""
    assert set(CONTROLS) == set("udopchaitkx")
    assert supervise.FLAVOURS == {18: "djb 18 bytes", 21: "IndiMail 21 bytes"}
