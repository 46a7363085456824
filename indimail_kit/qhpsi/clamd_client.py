"""Ask clamd, fail-closed: one connection a scan, a kept session, or a pool that keeps all its threads busy.

Source: clamd(8). pyclamd runs the verbs that it runs right (PING, VERSION, STATS, RELOAD); scans go over
connections of our own (clamd_transport.py, clamd_session.py), which know FILDES and IDSESSION.

Rule 1: `scan_…` never raises for a scan that failed; it answers NOT_SCANNED or ERROR. The other verbs raise ScanError.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.errors import ScanError
from indimail_kit.qhpsi import clamd_protocol as protocol
from indimail_kit.qhpsi.clamd_address import Address, ClamdAddress, Deadline, clamd_address
from indimail_kit.qhpsi.clamd_channel import MessagePath
from indimail_kit.qhpsi.clamd_protocol import Reply as Reply
from indimail_kit.qhpsi.clamd_protocol import instream_frames as instream_frames
from indimail_kit.qhpsi.clamd_protocol import parse_reply as parse_reply
from indimail_kit.qhpsi.clamd_session import POOL_IN_FLIGHT, SESSION_IN_FLIGHT, ClamdSession, Pool, ScannedFile
from indimail_kit.qhpsi.mess_file import NotAFileError, describe, open_message
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from indimail_kit.qhpsi.clamd_transport import Transport

DEFAULT_TIMEOUT_S: Final = 120.0
"""Time for one request from connect to the end of the reply (unit: s): clamd's default MaxScanTime."""

_UNKNOWN_VERSION: Final = "ClamAV"


class ClamdClient:
    """Ask a clamd; usable from several threads (each scan has a connection of its own), and itself a `Scanner`.

    Over a Unix socket a message's open file is passed to clamd (FILDES). Over TCP no file can be passed, so its
    content is sent instead (INSTREAM), and the answers' `scanner` says so.

    Attributes:
        address: Where clamd listens. A TCP host is the own machine unless the caller names another, where clamd
            really is: the mail travels there unencrypted.
        timeout_s: Time for one request, from connect to the end of the reply (unit: s).
    """

    def __init__(
        self,
        address: Address | ClamdAddress,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Prepare, without connecting.

        Args:
            address: Path of clamd's LocalSocket, or host and port of its TCPSocket.
            timeout_s: Time for one request (unit: s).
            clock_ns: Monotonic clock (unit: ns).

        Raises:
            ScanError: The address is neither.
        """
        self.address = clamd_address(address)
        self.timeout_s = timeout_s
        self._clock_ns = clock_ns
        self._scanner = _UNKNOWN_VERSION

    def __repr__(self) -> str:
        return f"ClamdClient({str(self.address)!r}, timeout_s={self.timeout_s:g})"

    def __call__(self, path: Path) -> ScanAnswer:
        """Scan a file."""
        return self.scan_file(path)

    def ping(self) -> bool:
        """Return True when clamd answers PONG.

        Raises:
            ScanError: It cannot be reached, is silent, or says something else.
        """
        return bool(self._administer("ping"))

    def version(self) -> str:
        """Return clamd's version line, such as "ClamAV 1.4.6/27432/Mon Nov 23 …".

        Raises:
            ScanError: No answer.
        """
        return str(self._administer("version"))

    def stats(self) -> str:
        """Return clamd's queue, threads and memory, as it prints them.

        Raises:
            ScanError: No answer.
        """
        return str(self._administer("stats"))

    def thread_limit(self) -> int:
        """Return how many threads clamd scans with at most (its MaxThreads).

        Raises:
            ScanError: No answer, or one that does not say.
        """
        limit = protocol.parse_thread_limit(self.stats())
        if not limit:
            raise ScanError(f"clamd at {self.address}: no number of threads in its answer to STATS")
        return limit

    def reload(self) -> str:
        """Let clamd read its signatures again; it answers "RELOADING" before it has done so.

        Raises:
            ScanError: No answer, or another one.
        """
        reply = str(self._administer("reload"))
        if reply != "RELOADING":
            raise ScanError(f"clamd did not reload: {reply}")
        return reply

    def scan_file(self, path: MessagePath) -> ScanAnswer:
        """Scan a file: open it here, and pass the descriptor (FILDES) or, over TCP, the content (INSTREAM).

        Works where clamd may not read the path, and for every name. A descriptor copies nothing.
        """
        if not self.address.passes_descriptors:
            with self.session(in_flight=1) as session:
                return session.scan(path)

        def deed(transport: Transport) -> None:
            with open_message(path) as (descriptor, _):
                transport.send_descriptor(descriptor)

        return self._scan(deed, protocol.DESCRIPTOR_NAME)

    def scan_path(self, path: MessagePath) -> ScanAnswer:
        """Scan a file by SCAN: clamd opens it by itself.

        Symbolic links are resolved first: clamd answers ``OK`` for a link that it does not follow. Between that and
        clamd's own opening the path may change; `scan_file` has no such gap. A clamd on another host would look at
        another file: NOT_SCANNED.
        """
        if not self.address.sees_our_files:
            return ScanAnswer(Verdict.NOT_SCANNED, scanner=self._scanner, reason="SCAN of a path: clamd is elsewhere")
        real = os.path.realpath(os.fsencode(path))

        def deed(transport: Transport) -> None:
            with open_message(real):
                transport.send(b"zSCAN " + real + b"\0")

        return self._scan(deed, re.compile(re.escape(real)))

    def scan_stream(self, octets: bytes | Iterable[bytes]) -> ScanAnswer:
        """Scan octets by INSTREAM; more than clamd's StreamMaxLength is NOT_SCANNED."""
        chunks: Iterable[bytes | memoryview] = protocol.pieces(octets) if isinstance(octets, bytes) else octets

        def deed(transport: Transport) -> None:
            for frame in instream_frames(chunks):
                transport.send(frame)

        return self._scan(deed, protocol.STREAM_NAME)

    def session(self, *, in_flight: int = SESSION_IN_FLIGHT) -> ClamdSession:
        """Return a connection that is kept, with several scans in flight (IDSESSION).

        Args:
            in_flight: How many scans are open at once at most; over TCP always 1.
        """
        return ClamdSession(self._pool(connections=1, in_flight=in_flight))

    def scan_many(self, paths: Iterable[MessagePath], *, connections: int | None = None) -> Iterator[ScannedFile]:
        """Scan files as fast as clamd can, and yield each with its answer as soon as it has one.

        The order is clamd's: a large file holds nobody up. `ScannedFile.number` is the position among `paths`,
        which are taken only as they are needed. A scan whose session ended under it is asked again, twice at most.

        Args:
            paths: The messages.
            connections: Sessions to use; None = as many as clamd has threads, which STATS tells.

        Yields:
            One answer a path. Memory and open descriptors do not grow with their number.
        """
        if connections is None:
            connections = 1
            with contextlib.suppress(ScanError):  # the scans themselves will say what is wrong
                connections = self.thread_limit()
        with contextlib.closing(self._pool(connections=connections, in_flight=POOL_IN_FLIGHT)) as pool:
            yield from pool.scan_many(paths)

    def _pool(self, *, connections: int, in_flight: int) -> Pool:
        """Return sessions to this clamd."""
        return Pool(
            self.address,
            connections=connections,
            in_flight=in_flight,
            timeout_s=self.timeout_s,
            clock_ns=self._clock_ns,
            name=self._name,
        )

    def _administer(self, verb: str) -> Any:
        """Let pyclamd do what it does right, on our connection."""
        from indimail_kit.qhpsi.clamd_transport import administration, connect

        try:
            with connect(self.address, Deadline(self.timeout_s, self._clock_ns)) as transport:
                return getattr(administration()(transport), verb)()
        except OSError as error:
            raise ScanError(f"clamd at {self.address}: {_describe_first(error)}") from error

    def _scan(self, deed: Callable[[Transport], None], names: re.Pattern[bytes]) -> ScanAnswer:
        """Send one question, read one reply, and turn every failure into an answer."""
        start_ns = self._clock_ns()
        raw = b""
        try:
            raw, is_broken = self._ask(deed)
            reply = parse_reply(raw, names=names)
            if is_broken and reply.verdict is not Verdict.NOT_SCANNED:
                reply = Reply(Verdict.ERROR, reason="connection broken in mid-stream")
        except NotAFileError as error:
            reply = Reply(Verdict.NOT_SCANNED, reason=str(error))
        except TimeoutError:
            reply = Reply(Verdict.ERROR, reason=f"no answer within {self.timeout_s:g} s")
        except OSError as error:
            whose = "clamd" if error.filename is None else "message"
            reply = Reply(Verdict.ERROR, reason=f"{whose}: {describe(error)}")
        elapsed_ns = self._clock_ns() - start_ns
        return ScanAnswer(reply.verdict, reply.signature, self._name(reply), elapsed_ns, reply.reason, raw)

    def _ask(self, deed: Callable[[Transport], None]) -> tuple[bytes, bool]:
        """Return the reply, and whether the connection broke while the question was sent."""
        from indimail_kit.qhpsi.clamd_transport import BrokenStreamError, connect

        with connect(self.address, Deadline(self.timeout_s, self._clock_ns)) as transport:
            try:
                deed(transport)
            except BrokenStreamError:
                return transport.receive(), True
            return transport.receive(), False

    def _name(self, reply: Reply) -> str:
        """Return "ClamAV 1.4.6"; asked once, after the first scan that worked."""
        if self._scanner == _UNKNOWN_VERSION and reply.verdict in (Verdict.CLEAN, Verdict.INFECTED):
            with contextlib.suppress(ScanError):
                way = "" if self.address.passes_descriptors else " (over TCP: files by INSTREAM)"
                self._scanner = self.version().partition("/")[0] + way
        return self._scanner


def _describe_first(error: OSError) -> str:
    """Return the reason behind an error of pyclamd, which wraps every error of a socket in one of its own."""
    return describe(error.__context__ if isinstance(error.__context__, OSError) else error)
