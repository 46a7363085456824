"""The lab's scanner in trouble, on demand: what a mail server must do when its scanner does not do its work.

::

    with lab.scanner_trouble("slow"):
        lab.send(attach="eicar").smtp_reply     # 451 qq unable to run QHPSI scanner (#4.3.0)

Every trouble is the real clamd's, stopped, killed, frozen, beyond its limits or without its database; only the lies
come from a socket in front of it, for no real clamd can be asked to lie.

Rule 1: in each of them a mail is refused for now (451), infected or not: nobody looked at it.
Rule 2: behind the ``with`` the scanner is as before, whatever happened in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from indimail_kit import qhpsi
from indimail_kit.errors import LabError
from indimail_kit.lab.lying_clamd import Lie, LyingClamd, cut_at, garbled, nameless, twice
from indimail_kit.qhpsi.clamd_daemon import ClamdDaemon
from indimail_kit.qhpsi.signatures import DatabaseLine, teaching_signatures
from indimail_kit.wiring import html_of

if TYPE_CHECKING:
    from indimail_kit.lab.scanners import LabScanner

TroubleKind = Literal[
    "down", "killed", "slow", "over-file-limit", "over-stream-limit", "stale", "empty", "cut", "twice", "garbled",
    "nameless",
]  # fmt: skip
"""What may be asked for."""

SLOW_S: Final = 0.5
"""Time limit of a scan while the scanner is slow (unit: s)."""

_LIMIT: Final = "100"
"""A limit that every mail exceeds (unit: octets)."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble.

    Attributes:
        kind: Its short name.
        title: What is wrong, as a phrase.
        how: How the lab brings it about.
        real_world: When it happens on a real host.
        is_real: Whether the real clamd does it; False for a lie of the socket in front of it.
    """

    kind: TroubleKind
    title: str
    how: str
    real_world: str
    is_real: bool = True

    def _repr_html_(self) -> str:
        return html_of(self)


_LYING: Final = "a socket in front of the real clamd spoils the reply"

TROUBLES: Final[dict[TroubleKind, Trouble]] = {
    one.kind: one
    for one in (
        Trouble("down", "clamd does not run", "clamd is stopped", "the service has a `down` file; out of memory"),
        Trouble("killed", "clamd dies while it scans", "it is killed (SIGKILL) when it has half of the mail",
                "the kernel's out-of-memory killer; a crash on a malformed file"),
        Trouble("slow", f"clamd answers after the time limit ({SLOW_S:g} s here)", "clamd is frozen (SIGSTOP)",
                "swapping; a reload that takes all memory; too many scans at once"),
        Trouble("over-file-limit", "the mail is longer than clamd looks", f"MaxFileSize {_LIMIT}",
                "attachments beyond MaxFileSize; without AlertExceedsMax clamd answers OK"),
        Trouble("over-stream-limit", "the mail is longer than clamd takes by stream", f"StreamMaxLength {_LIMIT}",
                "attachments beyond StreamMaxLength; clamdscan --stream answers 0 there"),
        Trouble("stale", "clamd's database is old: EICAR is not in it", "the database has one signature, another one",
                "freshclam has failed for months"),
        Trouble("empty", "clamd's database holds nothing", 'a database with a comment only ("Loaded 0 signatures.")',
                "a wrong DatabaseDirectory with a leftover file"),
        Trouble("cut", "the reply ends in the middle", _LYING, "clamd dies while it answers", is_real=False),
        Trouble("twice", "the reply comes twice", _LYING, "a broken proxy", is_real=False),
        Trouble("garbled", "the reply is not ASCII", _LYING, "another service on the socket", is_real=False),
        Trouble("nameless", "the reply says OK, but not of what", _LYING, "another service on the socket",
                is_real=False),
    )
}  # fmt: skip
"""Kind -> what it is; in the order of a lesson."""

LIES: Final[dict[str, Lie]] = {"cut": cut_at(-3), "twice": twice, "garbled": garbled, "nameless": nameless}
"""Kind -> what becomes of the reply. "cut" keeps the name and an "O"."""

LIMITS: Final = {
    "over-file-limit": {"MaxFileSize": _LIMIT, "MaxScanSize": _LIMIT},
    "over-stream-limit": {"StreamMaxLength": _LIMIT},
}
"""Kind -> clamd.conf options."""


def _databases() -> dict[str, tuple[DatabaseLine, ...]]:
    """Return kind -> what clamd knows then."""
    return {"stale": teaching_signatures()[1:2], "empty": ()}


def _pieces(path: Path, between: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """Yield a file in two halves; something may happen between them."""
    octets = path.read_bytes()
    yield octets[: len(octets) // 2]
    between()
    yield octets[len(octets) // 2 :]


@contextlib.contextmanager
def in_trouble(scanner: LabScanner, kind: TroubleKind, *, lie: Lie | None = None) -> Iterator[Trouble]:
    """Bring a lab's scanner into trouble, and out of it again.

    Args:
        scanner: The lab's.
        kind: One of `TROUBLES`.
        lie: What becomes of the reply, instead of the kind's own, for a kind that lies.

    Raises:
        LabError: There is no such kind, or it needs a clamd that the lab asks by its socket.
    """
    trouble = TROUBLES.get(kind)
    if trouble is None:
        raise LabError(f"a kind of trouble expected: {', '.join(TROUBLES)}")
    with contextlib.ExitStack() as stack:
        if kind == "down":
            stack.callback(scanner.start)
            scanner.stop()
        elif scanner.daemon is None or scanner.kind != "clamd":
            raise LabError(f'trouble "{kind}" needs a lab that asks clamd by its socket: Lab(scanner="clamd")')
        elif kind in LIES:
            stack.enter_context(scanner.asking(_lying(scanner.daemon, lie or LIES[kind], stack)))
        else:
            _REAL[kind](scanner, scanner.daemon, stack)
        yield trouble


def _lying(daemon: ClamdDaemon, lie: Lie, stack: contextlib.ExitStack) -> qhpsi.Scanner:
    """Return who asks a liar."""
    proxy = stack.enter_context(LyingClamd(daemon.directory / "liar.sock", daemon.socket_path, lie))
    return qhpsi.clamd(proxy.socket_path, timeout_s=10.0)


def _killed(scanner: LabScanner, daemon: ClamdDaemon, stack: contextlib.ExitStack) -> None:
    stack.callback(scanner.start)

    def scan_and_kill(path: Path) -> qhpsi.ScanAnswer:
        daemon.start()
        return daemon.client.scan_stream(_pieces(path, daemon.kill))

    stack.enter_context(scanner.asking(scan_and_kill))


def _slow(scanner: LabScanner, daemon: ClamdDaemon, stack: contextlib.ExitStack) -> None:
    stack.callback(daemon.thaw)
    daemon.freeze()
    stack.enter_context(scanner.asking(qhpsi.clamd(daemon.socket_path, timeout_s=SLOW_S)))


def _over_file_limit(scanner: LabScanner, _daemon: ClamdDaemon, stack: contextlib.ExitStack) -> None:
    small = stack.enter_context(ClamdDaemon(options=LIMITS["over-file-limit"]))
    stack.enter_context(scanner.asking(small.client))


def _over_stream_limit(scanner: LabScanner, _daemon: ClamdDaemon, stack: contextlib.ExitStack) -> None:
    small = stack.enter_context(ClamdDaemon(options=LIMITS["over-stream-limit"]))
    stack.enter_context(scanner.asking(lambda path: small.client.scan_stream(_pieces(path))))


def _other_database(kind: str) -> Callable[[LabScanner, ClamdDaemon, contextlib.ExitStack], None]:
    def change(_scanner: LabScanner, daemon: ClamdDaemon, stack: contextlib.ExitStack) -> None:
        stack.callback(daemon.use_signatures, daemon.signatures)
        daemon.use_signatures(_databases()[kind])

    return change


_REAL: Final[dict[str, Callable[[LabScanner, ClamdDaemon, contextlib.ExitStack], None]]] = {
    "killed": _killed,
    "slow": _slow,
    "over-file-limit": _over_file_limit,
    "over-stream-limit": _over_stream_limit,
    "stale": _other_database("stale"),
    "empty": _other_database("empty"),
}
