"""One IDSESSION from inside: questions out, numbered replies in, nothing blocks.

Source: clamd(8), IDSESSION and FILDES; unix(7), SCM_RIGHTS; ClamAV 1.4.6, asked.

Note for maintainers: clamd numbers the questions of a session by itself, from 1, and answers each as soon as it is
done. A message on a Unix socket that carries a descriptor is never glued to the next one, so the n-th descriptor
belongs to the n-th question. A limit, a time-out or a fault in one question ends the session for all: clamd then
does not even answer what it has scanned already.

Rule 1: a reply counts only if it is whole, has the number of a question that is open, and that question was sent to
its end. One that does not is a sign that the two sides count differently: no answer that came with it or would come
after it is believed.
Rule 2: whatever ends the session, each open question ends as ERROR, marked as lost so that it can be asked again.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from indimail_kit.qhpsi import clamd_protocol as protocol
from indimail_kit.qhpsi.clamd_address import ClamdAddress, Deadline
from indimail_kit.qhpsi.clamd_protocol import Reply
from indimail_kit.qhpsi.mess_file import NotAFileError, describe, open_message, open_regular
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict, visible

if TYPE_CHECKING:
    import selectors
    import socket

MessagePath: TypeAlias = str | bytes | Path
"""A message's file."""

FRAME_BYTES: Final = 1 << 30
"""Longest piece of a file that is announced at once by INSTREAM (unit: octets); its length has 32 bits."""

_RECEIVE_BYTES: Final = 65_536
_READ: Final = 1  # selectors.EVENT_READ, which is not loaded yet when this module is
_WRITE: Final = 2


@dataclass(slots=True, eq=False)
class Question:
    """A scan that was asked for; changes until it has its answer.

    Attributes:
        path: The message.
        finished: Where it goes with its answer.
        number: Position in the caller's list, from 0.
        start_ns: When it was asked (unit: ns).
        is_sent: clamd has all of it.
        has_changed: The message changed while it was sent.
        is_answered: It has its answer.
        is_lost: It ended with its session, by no fault of its own; asked again, it may end well.
        tries: How often it was asked, this time included.
    """

    path: MessagePath
    finished: deque[tuple[Question, ScanAnswer]]
    number: int = 0
    start_ns: int = 0
    is_sent: bool = False
    has_changed: bool = False
    is_answered: bool = False
    is_lost: bool = False
    tries: int = 1


class Channel:
    """A session that opens itself when it is needed, and again after it ended.

    Attributes:
        timeout_s: Time for one question, from asking to its answer (unit: s).
        is_closed: It opens no more.
    """

    def __init__(
        self,
        address: ClamdAddress,
        selector: selectors.BaseSelector,
        *,
        timeout_s: float,
        clock_ns: Callable[[], int],
        name: Callable[[Reply], str],
    ) -> None:
        from indimail_kit.qhpsi.clamd_transport import pass_descriptor

        self.timeout_s = timeout_s
        self.is_closed = False
        self._pass = pass_descriptor
        self._address = address
        self._selector = selector
        self._clock_ns = clock_ns
        self._name = name
        self._names = protocol.DESCRIPTOR_NAME if address.passes_descriptors else protocol.STREAM_NAME
        self._send = self._pass_descriptor if address.passes_descriptors else self._stream
        self._socket: socket.socket | None = None
        self._count = 0
        self._received = b""
        self._asked: dict[int, Question] = {}
        self._sending: deque[tuple[Question, Generator[None]]] = deque()
        self._events = _READ

    @property
    def open_count(self) -> int:
        """Return how many questions have no answer yet; one that is being sent counts twice."""
        return len(self._asked) + len(self._sending)

    def deadline_ns(self) -> int | None:
        """Return when the time of the oldest question is up (unit: ns), None without one."""
        oldest = next(iter(self._asked.values()), None)
        return None if oldest is None else oldest.start_ns + int(self.timeout_s * 10**9)

    def ask(self, question: Question) -> None:
        """Ask as soon as the socket takes it; the answer comes by `handle`, or at once if there is a fault."""
        question.start_ns = self._clock_ns()
        if self._socket is not None and not self._asked:
            self._read()  # clamd may have ended a session that had nothing to do
        if self._socket is None and not self._connect(question):
            return
        self._sending.append((question, self._send(question)))
        if len(self._sending) == 1:
            self._write()

    def handle(self, events: int) -> None:
        """Do what the socket is ready for."""
        if events & _WRITE:
            self._write()
        if events & _READ and self._socket is not None:
            self._read()

    def expire(self, now_ns: int) -> None:
        """End the session if the time of a question is up; the others are lost with it."""
        limit_ns = now_ns - int(self.timeout_s * 10**9)
        late = [number for number, question in self._asked.items() if question.start_ns <= limit_ns]
        for number in late:
            self._fail(self._asked.pop(number), f"no answer within {self.timeout_s:g} s")
        if late:
            self.end("session ended: another scan in it had no answer in time")

    def end(self, reason: str, *, is_lost: bool = True) -> None:
        """Close the connection; every open question ends as ERROR.

        Args:
            reason: Why.
            is_lost: They may be asked again: it was not clamd that cannot be believed.
        """
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
        lost = dict.fromkeys([*self._asked.values(), *(question for question, _ in self._sending)])
        sending = [generator for _, generator in self._sending]
        self._asked.clear()
        self._sending.clear()
        for generator in sending:
            generator.close()  # it holds an open file
        for question in lost:
            if not question.is_answered:
                question.is_lost = is_lost
                self._fail(question, reason)

    def _connect(self, question: Question) -> bool:
        """Open a session; a failure is the answer to the question that needed it."""
        if self.is_closed:
            self._fail(question, "session closed")
            return False
        try:
            connection = self._address.connect(Deadline(self.timeout_s, self._clock_ns))
        except TimeoutError:
            self._fail(question, f"no answer within {self.timeout_s:g} s")
            return False
        except OSError as error:
            self._fail(question, f"clamd: {describe(error)}")
            return False
        connection.setblocking(False)
        self._socket = connection
        self._events = _READ
        self._selector.register(connection, _READ, self)
        self._count = 0
        self._received = b""
        return True

    # ---- sending: generators that yield whenever the socket is full ----

    def _write(self) -> None:
        """Send what the socket takes now."""
        while self._sending:
            question, generator = self._sending[0]
            try:
                if next(generator, self) is None:
                    self._watch(_READ | _WRITE)
                    return
            except NotAFileError as error:
                self._finish(question, Reply(Verdict.NOT_SCANNED, reason=str(error)))
            except OSError as error:
                if question in self._asked.values():
                    self._break_sending(question, error)
                    return
                self._fail(question, f"message: {describe(error)}")
            self._sending.popleft()
        self._watch(_READ)

    def _watch(self, events: int) -> None:
        """Be told of these events from now on."""
        if self._socket is not None and self._events != events:
            self._selector.modify(self._socket, events, self)
            self._events = events

    def _break_sending(self, question: Question, error: OSError) -> None:
        """End a session in which a question cannot be sent to its end."""
        if isinstance(error, ConnectionError):
            # clamd hung up. What it said before, such as a limit's name, is in our queue already.
            while self._socket is not None and self._read():
                pass
            self.end("clamd: connection broken in mid-stream")
            return
        self._fail(question, f"message could not be sent: {describe(error)}")
        self.end("session ended: another message in it could not be sent")

    def _begin(self, question: Question) -> bytes:
        """Give the question its number; return what must be sent before it."""
        self._count += 1
        self._asked[self._count] = question
        return b"zIDSESSION\0" if self._count == 1 else b""

    def _pass_descriptor(self, question: Question) -> Generator[None]:
        """Send FILDES and the open file in one message."""
        descriptor, _ = open_regular(question.path)  # not `open_message`: this is done for each of very many
        try:
            before = self._begin(question)
            while not question.is_sent:
                try:
                    self._pass(self._connection(), descriptor, before)
                except BlockingIOError:
                    yield
                else:
                    question.is_sent = True
        finally:
            os.close(descriptor)

    def _stream(self, question: Question) -> Generator[None]:
        """Send INSTREAM and the file, from file to socket by the kernel."""
        with open_message(question.path) as (descriptor, size):
            octets = self._begin(question) + b"zINSTREAM\0"
            for start in range(0, size, FRAME_BYTES):
                length = min(FRAME_BYTES, size - start)
                yield from self._send_all(octets + struct.pack("!I", length))
                yield from self._send_file(descriptor, start, length)
                octets = b""
            yield from self._send_all(octets + struct.pack("!I", 0))
            question.has_changed = os.fstat(descriptor).st_size != size
        question.is_sent = True

    def _send_all(self, octets: bytes) -> Iterator[None]:
        while octets:
            try:
                octets = octets[self._connection().send(octets) :]
            except BlockingIOError:
                yield

    def _send_file(self, descriptor: int, start: int, length: int) -> Iterator[None]:
        end = start + length
        while start < end:
            try:
                count = os.sendfile(self._connection().fileno(), descriptor, start, end - start)
            except BlockingIOError:
                yield
                continue
            if count == 0:
                raise OSError("became shorter while it was sent")
            start += count

    def _connection(self) -> socket.socket:
        if self._socket is None:  # pragma: no cover - the generators are closed together with it
            raise ConnectionResetError
        return self._socket

    # ---- receiving ----

    def _read(self) -> bool:
        """Take in what has come; False when there is nothing more now or the session is over."""
        try:
            octets = self._connection().recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self.end(f"clamd: {describe(error)}")
            return False
        if not octets:
            self.end(self._last_words())
            return False
        *replies, self._received = (self._received + octets).split(b"\0")
        if len(self._received) > protocol.REPLY_LIMIT:
            self.end(f"clamd: reply of more than {protocol.REPLY_LIMIT} octets", is_lost=False)
            return False
        self._take(replies)
        return True

    def _last_words(self) -> str:
        """Return why clamd ended the session, as far as it said so."""
        words = visible(self._received[:200].strip())
        return f"clamd ended the session: {words}" if words else "clamd ended the session"

    def _take(self, replies: list[bytes]) -> None:
        """Find the questions of replies that came together; believe all of them or none."""
        answered: dict[int, tuple[Question, Reply, bytes]] = {}
        for octets in replies:
            number, raw = protocol.parse_numbered(octets) or (0, octets)
            if number not in self._asked or number in answered:
                self.end(f"reply to no question of this session: {visible(octets[:200])}", is_lost=False)
                return
            question = self._asked[number]
            reply = protocol.parse_reply(raw + b"\0", names=self._names)
            if not question.is_sent and reply.verdict is not Verdict.NOT_SCANNED:
                self.end(f"reply before the whole message was sent: {visible(octets[:200])}", is_lost=False)
                return
            answered[number] = (question, reply, raw + b"\0")
        for number, (question, reply, raw) in answered.items():
            del self._asked[number]
            if question.has_changed and reply.verdict is Verdict.CLEAN:
                reply = Reply(Verdict.NOT_SCANNED, reason="message changed while it was sent")
            self._finish(question, reply, raw)
        if any(not question.is_sent for question, _, _ in answered.values()):
            self.end("session ended: another message in it was longer than clamd's StreamMaxLength")

    def _fail(self, question: Question, reason: str) -> None:
        self._finish(question, Reply(Verdict.ERROR, reason=reason))

    def _finish(self, question: Question, reply: Reply, raw: bytes = b"") -> None:
        """Give the question its answer."""
        elapsed_ns = self._clock_ns() - question.start_ns
        question.is_answered = True
        answer = ScanAnswer(reply.verdict, reply.signature, self._name(reply), elapsed_ns, reply.reason, raw)
        question.finished.append((question, answer))
