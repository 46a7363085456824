"""supervise(8): is the service up, since when, and what is supervise told to do with it.

Source: daemontools 0.76 supervise.c `pidchange()`, `announce()`, svstat.c, svok.c, svc.c; IndiMail's daemontools-x
supervise.c, svstat.c 1.9, run_init.c; answers recorded in ``tests/data/indimail/tools/supervise-*.txt``.

Note for maintainers: two programs write ``supervise/status``, and the length tells them apart::

    octets   djb, Debian: 18                     IndiMail: 21
    0–11     since when, TAI64N                  the same
    12–15    pid of the service, 0 when down     pid of the service; when down, pid of *supervise itself*
    16       paused                              paused
    17       wanted: u, d, NUL (once)            the same
    18–19    -                                   seconds to wait for another service, 0 for none
    20       -                                   up (1) or down (0)

All numbers but the label are in the machine's own order, which is little-endian here. Debian's svstat reads the first
18 octets of both, so it calls an IndiMail service that is down "up (pid …)".

Rule 1: reading changes nothing. ``supervise/ok`` is opened for writing and closed again, as svok and svstat do:
supervise keeps its other end open only so that this open succeeds, and neither reads nor watches it.
Rule 2: nothing waits. A FIFO is opened without blocking, is a FIFO before it is opened, and no link in its place is
followed; ``supervise/control`` is opened by `send_control` alone.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from indimail_kit.errors import SuperviseError, Tai64Error
from indimail_kit.tai64 import from_tai64n

Flavour = Literal["djb 18 bytes", "IndiMail 21 bytes"]
"""Who wrote the status file."""

Want = Literal["up", "down", ""]
"""What supervise is told: keep it up, keep it down, or "" for once (svc -o: not started again)."""

FLAVOURS: Final[dict[int, Flavour]] = {18: "djb 18 bytes", 21: "IndiMail 21 bytes"}
"""Length of the status file (unit: octets) -> who wrote it."""

RUN_DIRECTORIES: Final = (Path("/run/svscan"), Path("/private/var/run/svscan"), Path("/var/run/svscan"))
"""Where IndiMail's supervise keeps its files when it may not write the service directory. Source: run_init.c."""

CONTROLS: Final = {
    "u": "up: start it, and again whenever it stops",
    "d": "down: SIGTERM and SIGCONT, and no new start",
    "o": "once: start it, but not again",
    "p": "pause: SIGSTOP",
    "c": "continue: SIGCONT",
    "h": "SIGHUP",
    "a": "SIGALRM",
    "i": "SIGINT",
    "t": "SIGTERM",
    "k": "SIGKILL",
    "x": "exit: supervise ends when the service is down",
}
"""Octet in supervise/control -> what supervise does. Source: svc(8); IndiMail's knows these and a few more."""

_WANTS: Final[dict[int, Want]] = {ord("u"): "up", ord("d"): "down", 0: ""}
_LABEL_BYTES: Final = 12
_MAX_UNIX_NS: Final = 2**63 - 1
_NS: Final = 10**9
_STATUS_LIMIT: Final = 64


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """What a status file says.

    Attributes:
        flavour: Who wrote it.
        is_up: Whether the service runs.
        pid: The number in the file: the service's when it is up; when it is down 0 (djb) or supervise's own (IndiMail).
        since_ns: When it came up or went down (unit: ns since 1970).
        is_paused: Whether it was stopped with SIGSTOP.
        want: What supervise is told.
        wait_s: IndiMail: how long it waits for another service (unit: s), negative without end, 0 not at all.
    """

    flavour: Flavour
    is_up: bool
    pid: int
    since_ns: int
    is_paused: bool
    want: Want
    wait_s: int = 0

    @property
    def service_pid(self) -> int | None:
        """Return the pid of the service, None when it is down."""
        return self.pid if self.is_up else None

    def elapsed_ns(self, now_ns: int) -> int:
        """Return how long it has been so (unit: ns); 0 when the label lies in the future."""
        return max(0, now_ns - self.since_ns)


@dataclass(frozen=True, slots=True)
class Service:
    """A service directory as it is found.

    Attributes:
        directory: The directory, as it was given.
        is_supervised: Whether a supervise runs in it.
        status: What it says, None without a supervise: what an old file says counts no more.
        is_normally_up: Whether supervise starts the service by itself; not with a file ``down``.
        has_log: Whether it has a service ``log`` of its own.
        supervise_directory: Where supervise keeps its files: in the directory itself, or below /run/svscan.
    """

    directory: Path
    is_supervised: bool
    status: ServiceStatus | None
    is_normally_up: bool
    has_log: bool
    supervise_directory: Path

    @property
    def name(self) -> str:
        """Return the name of the service; that of a log service has its service in front."""
        path = _whole(self.directory)
        return f"{path.parent.name}/log" if path.name == "log" else path.name

    @property
    def is_up(self) -> bool | None:
        """Say whether it runs; None when nobody knows, because no supervise is there."""
        return self.status.is_up if self.status is not None else None

    @property
    def state(self) -> str:
        """Return the state in a word or two."""
        status = self.status
        if status is None:
            return "no supervise"
        if status.is_paused:
            return "paused"
        return "waits" if status.wait_s else "up" if status.is_up else "down"

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return what is worth knowing beside the state, in sentences without an end."""
        status = self.status
        if status is None:
            return ("no supervise runs here, so nothing starts it, and svc cannot reach it",)
        told = {True: "up", False: "down"}
        remarks = {
            f"supervise is told to bring it {status.want}": status.want not in ("", told[status.is_up]),
            "once only: supervise does not start it again": status.want == "" and status.is_up,
            "the file down is there: it stays down when supervise starts": not self.is_normally_up,
            "there is no file down: it comes up when supervise starts": self.is_normally_up and not status.is_up,
            "stopped with SIGSTOP": status.is_paused,
            f"waits {status.wait_s} s for another service": status.wait_s > 0,
            "waits for another service": status.wait_s < 0,
        }
        return tuple(remark for remark, holds in remarks.items() if holds)

    @property
    def is_as_it_should_be(self) -> bool:
        """Say whether it is supervised, not paused, as supervise is told, and as after a new start of the machine."""
        status = self.status
        if status is None or status.is_paused or status.wait_s:
            return False
        is_told = {"up": True, "down": False, "": status.is_up}[status.want]
        return status.is_up == is_told and (status.is_up or not self.is_normally_up)


def decode_status(octets: bytes) -> ServiceStatus:
    r"""Return what a status file says.

    Raises:
        SuperviseError: It has another length than 18 or 21 octets, or an octet that supervise does not write.

    Example:
        >>> decode_status(bytes.fromhex("400000006b02fad702e9c7ec432000000075000001")).pid
        8259
    """
    flavour = FLAVOURS.get(len(octets))
    if flavour is None:
        raise SuperviseError(f"a status file of 18 or 21 octets (it has {len(octets)})")
    pid, paused, want, wait_s, up = struct.unpack("<IBBhB", octets[_LABEL_BYTES:].ljust(9, b"\0"))
    if paused > 1:
        raise SuperviseError("0 or 1 for paused", offset=16)
    if want not in _WANTS:
        raise SuperviseError("u, d or NUL for what is wanted", offset=17)
    if up > 1:
        raise SuperviseError("0 or 1 for up", offset=20)
    return ServiceStatus(
        flavour=flavour,
        is_up=bool(up) if len(octets) > 18 else pid != 0,
        pid=pid,
        since_ns=_decode_label(octets[:_LABEL_BYTES]),
        is_paused=bool(paused),
        want=_WANTS[want],
        wait_s=wait_s,
    )


def read_service(directory: str | Path, *, run_directories: tuple[Path, ...] = RUN_DIRECTORIES) -> Service:
    """Look at a service directory.

    Args:
        directory: The directory; a link to one is followed, as in /service.
        run_directories: Where supervise's files may be when the directory holds none.

    Raises:
        SuperviseError: It is no service directory, or something in it cannot be read or understood.

    Deviation:
        IndiMail's svstat looks below /run/svscan first and by the name alone. Here that is done only for a directory
        that holds no ``supervise`` of its own, because another service somewhere else may have the same name.
    """
    path = Path(directory)
    mode = _mode_of(path)
    if mode is None or not stat.S_ISDIR(mode):
        raise SuperviseError("a service directory", source=str(path))
    place = _find_supervise(path, run_directories)
    has_run = _mode_of(path / "run") is not None
    if not has_run and _mode_of(place) is None:
        raise SuperviseError("a service directory: one with a file run, or where supervise runs", source=str(path))
    is_supervised = is_running(place)
    return Service(
        directory=path,
        is_supervised=is_supervised,
        status=_read_status(place / "status") if is_supervised else None,
        is_normally_up=_mode_of(path / "down") is None,
        has_log=_mode_of(path / "log") is not None,
        supervise_directory=place,
    )


def is_running(supervise_directory: Path) -> bool:
    """Say whether a supervise holds ``ok`` open, as svok(8) does.

    Raises:
        SuperviseError: ``ok`` is no FIFO, or may not be opened.
    """
    path = supervise_directory / "ok"
    descriptor = _open_fifo(path)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def send_control(service: Service, commands: str) -> None:
    """Tell supervise what to do, as svc(8) does: one octet for each command.

    It returns when the octets are in the FIFO. supervise takes them one by one, and pauses a second after each start.

    Args:
        service: The service, as `read_service` found it.
        commands: Letters of `CONTROLS`.

    Raises:
        SuperviseError: No supervise is there, it may not be told, or it does not take its commands.
        ValueError: A letter is none of `CONTROLS`.
    """
    if not commands or set(commands) - set(CONTROLS):
        raise ValueError(f"commands are letters of {''.join(CONTROLS)}, not {commands!r}")
    path = service.supervise_directory / "control"
    descriptor = _open_fifo(path)
    if descriptor is None:
        raise SuperviseError("a supervise that runs", source=str(service.directory))
    try:
        os.write(descriptor, commands.encode("ascii"))
    except OSError as error:
        raise SuperviseError(f"a supervise that takes commands ({error.strerror})", source=str(path)) from None
    finally:
        os.close(descriptor)


def _decode_label(octets: bytes) -> int:
    """Return the moment that the label means (unit: ns since 1970)."""
    try:
        unix_ns = from_tai64n(b"@" + octets.hex().encode("ascii"))
    except Tai64Error as error:
        raise SuperviseError(error.expected, offset=8) from None
    if not 0 <= unix_ns <= _MAX_UNIX_NS:
        raise SuperviseError("a TAI64N label between 1970 and 2262", offset=0)
    return unix_ns


def _find_supervise(path: Path, run_directories: tuple[Path, ...]) -> Path:
    """Return where supervise keeps its files for this service, or would."""
    own = path / "supervise"
    if _mode_of(own) is None:
        whole = _whole(path)
        name = Path(whole.parent.name, "log") if whole.name == "log" else Path(whole.name)
        for run in run_directories:
            if _mode_of(run / name / "supervise") is not None:
                return run / name / "supervise"
    return own


def _whole(path: Path) -> Path:
    """Return the path from the root, whose last part is the service's name; a link keeps its own name."""
    return path.resolve() if ".." in path.parts else path.absolute()


def _mode_of(path: Path) -> int | None:
    """Return type and mode of what a path leads to, None when nothing is there."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) else "a name that no file can have"
    raise SuperviseError(f"a service directory that can be read ({problem})", source=str(path))


def _open_fifo(path: Path) -> int | None:
    """Open a FIFO for writing; None when it is not there or nobody has its other end."""
    problem: str | None = "it is none"
    try:
        if stat.S_ISFIFO(path.lstat().st_mode):
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENXIO):
            return None
        problem = f"{error.strerror}: try as root" if error.errno == errno.EACCES else error.strerror
    raise SuperviseError(f"a FIFO of supervise that may be opened ({problem})", source=str(path))


def _read_status(path: Path) -> ServiceStatus:
    """Read and decode a status file."""
    problem: str | None = "it is no plain file"
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                octets = file.read(_STATUS_LIMIT) or b""
            problem = None
    except OSError as error:
        problem = error.strerror
    if problem is not None:
        raise SuperviseError(f"a status file that can be read ({problem})", source=str(path))
    try:
        return decode_status(octets)
    except SuperviseError as error:
        raise SuperviseError(error.expected, offset=error.offset, source=str(path)) from None
