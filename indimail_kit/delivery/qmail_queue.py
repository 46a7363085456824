"""The program qmail-queue: message on fd 0, envelope on fd 1, settings in the environment, the answer in the exit code.

What the rooms below do one by one is put together here: `mailqueue` reads, writes and promises, `qhpsi` scans in
between. qmail-multi and qmail-nullqueue, which stand in the same place, are here as well.

Source: IndiMail indimail-mta-x/qmail-queue.c, qmail-multi.c, qmulti.c, qmail-nullqueue.c, custom_error.c; 114 recorded
calls.

Rule 1: fd 1 is read. Nothing is ever written there, and to fd 2 only what the real program or its scanner would write.
Rule 2: what nobody foresaw is exit code 81, never a traceback, and never success.
Rule 3: a signal cleans nothing up: mess and intd stay where they are, and qmail-clean removes them after 36 hours.

Deviation: Files and directories are synced before success unless another SyncName is chosen. The scanner has a time
limit and inherits no descriptor; what it says comes to fd 2 when it has ended, and not where a custom error is asked
for, which is the client's reply. Signals of a bug (SIGSEGV …) end the process by the signal instead of exit code 81.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, get_args

from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import (
    BUG,
    CONFIG,
    CUSTOM,
    OK,
    READ,
    TEMPORARY_FILES,
    TIMEOUT,
    WRITE,
    custom_error,
    exit_code,
)
from indimail_kit.mailqueue.controls import read_queue_base, read_settings
from indimail_kit.mailqueue.descriptors import drain, peer_ip, read_envelope, read_message
from indimail_kit.mailqueue.enqueue import enqueue
from indimail_kit.mailqueue.mail_filter import NOT_STARTED, filter_message
from indimail_kit.mailqueue.multi import QUEUE_BASE, check_free_space, choose_queue, find_layout
from indimail_kit.mailqueue.received import UNKNOWN_IP, InvokedFrom, is_fast_queue, scan_number
from indimail_kit.mailqueue.values import SYNC_NAMES, Queued, QueueScan, Step, SyncName, SyncPolicy
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.qhpsi.scanning import ScanReport
    from indimail_kit.qhpsi.verdict import ScanAnswer

ProgramName = Literal["qmail-queue", "qmail-multi", "qmail-nullqueue"]
"""The programs that take a message on fd 0 and an envelope on fd 1."""

PROGRAM_NAMES: Final = get_args(ProgramName)

HOME: Final = QUEUE_BASE.parent
"""IndiMail's home unless another is chosen."""

DEATH_S: Final = 86_400
"""How long a qmail-queue lives (unit: s). It must be gone before qmail-clean removes its files, after 129,600 s.
Source: qmail-queue.c `DEATH`."""

UMASK: Final = 0o033
"""Source: qmail-queue.c `main()`."""

_USERS: Final[Mapping[str, InvokedFrom]] = {"alias": "alias", "qmails": "bounce"}
"""User -> how the Received line names a message of his. Source: qmail-queue.c `receivedfmt()`."""

_SAYS_NOTHING: Final = 87
"""Exit code with which qhpsi refuses a slash in PLUGINDIR or the name of a plugin, without a word. Source: qhpsi.c."""

_QHPSI_LINE: Final = b"qhpsi: fatal: "
"""Begin of what qhpsi itself says, with DEBUG only. Source: qhpsi.c `FATAL`."""

_TAB: Final = "\t"
"""The one control character that a log line may hold."""

_IGNORED_SIGNALS: Final = ("SIGVTALRM", "SIGPROF", "SIGQUIT", "SIGINT", "SIGHUP", "SIGXCPU", "SIGXFSZ", "SIGPIPE")
"""Source: qmail-queue.c `main()`; libqmail sig_misc.c, sig_pipe.c."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QmailQueue:
    """One call of the program.

    Attributes:
        environ: Its environment.
        program: Which of the three it is.
        message_fd: Where the message is read.
        envelope_fd: Where the envelope is read.
        error_fd: Where complaints go.
        sync: What must be on the disk before success.
        home: IndiMail's home: the queues are in its directory queue, the plugins in PLUGINDIR.
        scan_as: User of the scanner; needs root. "" = if we are root, qscand or nobody; None = as we are.
        is_verbose: Whether to say on fd 2 what happened, which the real program does not.
        qp: Long-term queue identifier; the pid of this process by default.
        uid: User that called; the real uid of this process by default.
        host: Name of this machine; the system's by default.
        clock: Gives the time (unit: ns since 1970).
        random: Chooses the queue.
        on_step: Called after each step in the queue.
    """

    environ: Mapping[str, str] = field(repr=False)
    program: ProgramName = "qmail-queue"
    message_fd: int = 0
    envelope_fd: int = 1
    error_fd: int = 2
    sync: SyncName = "safe"
    home: Path = HOME
    scan_as: str | None = ""
    is_verbose: bool = False
    qp: int | None = None
    uid: int | None = None
    host: str | None = None
    clock: Callable[[], int] = field(default=time.time_ns, repr=False)
    random: Random = field(default_factory=SystemRandom, repr=False)
    on_step: Callable[[Step], None] | None = field(default=None, repr=False)

    def run(self) -> int:
        """Do what the program does and return its exit code."""
        try:
            return self._run()
        except Exception as error:  # a bug of ours must not look like anything that a mail server knows
            self._say(f"{self.program}: internal bug: {type(error).__name__}: {error}")
            return BUG

    def _run(self) -> int:
        """Do it; only a bug passes."""
        has_text = False
        try:
            if self.program == "qmail-nullqueue":
                return self._succeed(self._throw_away())
            with contextlib.ExitStack() as files:
                message, directory = None, None
                if self.program == "qmail-multi":
                    message = self._filter(files)
                    if message == ():
                        return self._succeed("swallowed by the filter")
                    directory = self._choose()
                    check_free_space(directory, self.environ)
                has_text = "QMAIL_QUEUE_CUSTOM_ERROR" in self.environ
                return self._succeed(_tell(self.queue(message, directory)))
        except QueueError as error:
            return self._refuse(error, has_text=has_text)

    def _succeed(self, text: str) -> int:
        """Return the exit code of success."""
        if self.is_verbose:
            self._say(f"{self.program}: {text}")
        return OK

    def queue(
        self,
        message: Iterable[bytes] | None = None,
        directory: Path | None = None,
        *,
        envelope: bytes | None = None,
    ) -> Queued:
        """Queue the message as qmail-queue does.

        Args:
            message: The message; what `message_fd` gives by default.
            directory: The queue; the one that the environment names by default.
            envelope: The envelope; what `envelope_fd` gives by default.

        Raises:
            QueueError: With qmail-queue's exit code.
        """
        settings = read_settings(self.environ)
        layout = find_layout(self._choose() if directory is None else directory, self.environ)
        uid = os.getuid() if self.uid is None else self.uid
        invoked_from, ip = self._caller(uid)
        return enqueue(
            read_message(self.message_fd) if message is None else message,
            (lambda: read_envelope(self.envelope_fd)) if envelope is None else envelope,
            layout=layout,
            environ=self.environ,
            qp=self.qp,
            uid=uid,
            invoked_from=invoked_from,
            peer_ip=ip,
            host=self.host,
            clock=self.clock,
            scan=self._scan(layout.directory),
            sync=SyncPolicy.named(self.sync, self.environ),
            settings=settings,
            on_step=self.on_step,
        )

    def _filter(self, files: contextlib.ExitStack) -> Iterable[bytes] | None:
        """Return what FILTERARGS makes of the message: None without a filter, () when it swallowed the message."""
        text = self.environ.get("FILTERARGS")
        if text is None:
            return None
        try:
            filtered = filter_message(self.message_fd, text, self.environ, error_fd=self.error_fd)
        except QueueError as error:
            if error.path == NOT_STARTED:
                self._say(f"{self.program}: {error}")
            raise
        except OSError as error:
            raise QueueError(f"temporary files: {error.strerror}", exit_code=TEMPORARY_FILES) from error
        return () if filtered is None else read_message(files.enter_context(filtered).fileno())

    def _throw_away(self) -> str:
        """Read everything and keep nothing, as qmail-nullqueue does."""
        try:
            return f"{drain(self.message_fd) + drain(self.envelope_fd)} octets thrown away"
        except OSError as error:
            raise QueueError(f"read: {error.strerror}", exit_code=READ) from error

    def _choose(self) -> Path:
        """Return the directory of the queue that the message goes to."""
        is_named = "QUEUEDIR" in self.environ or "QUEUE_BASE" in self.environ
        base = self.home / "queue"
        base = base if is_named else read_queue_base(self.environ, default=base)
        return choose_queue(self.environ, random=self.random, base_default=base)

    def _caller(self, uid: int) -> tuple[InvokedFrom, str]:
        """Return who called, and the address at the other end of his socket."""
        for user, invoked_from in _USERS.items():
            if uid == _uid_of(user):
                return invoked_from, UNKNOWN_IP
        if "TCPREMOTEIP" in self.environ or "HIDE_HOST" in self.environ or is_fast_queue(self.environ):
            return "uid", UNKNOWN_IP
        ip = peer_ip(self.message_fd, self.envelope_fd, self.error_fd)
        return ("uid", UNKNOWN_IP) if ip is None else ("network", ip)

    def _scan(self, directory: Path) -> QueueScan | None:
        """Return the scan that QHPSI asks for."""
        if "QHPSI" not in self.environ or is_fast_queue(self.environ):
            return None
        # A drop-in is started for each mail: what only a scan needs is loaded for a scan.
        from indimail_kit.qhpsi.config import QhpsiConfig
        from indimail_kit.qhpsi.scan_user import NOT_ROOT
        from indimail_kit.qhpsi.scanning import scan_message, scanner_for

        config = QhpsiConfig.from_environ(self.environ)
        run_as = NOT_ROOT if self.scan_as == "" else self.scan_as
        scanner = scanner_for(config, self.environ, cwd=directory, run_as=run_as, home=self.home)

        def scan(mess_path: Path, *, message_bytes: int) -> ScanReport:
            report = scan_message(mess_path, config=config, scanner=scanner, message_bytes=message_bytes)
            if report.answer is not None and "QMAIL_QUEUE_CUSTOM_ERROR" not in self.environ:
                self._pass_on(report.answer, is_plugin=config.is_plugin)
            return report

        return scan

    def _pass_on(self, answer: ScanAnswer, *, is_plugin: bool) -> None:
        """Write to fd 2 what the scanner said, and with DEBUG what qhpsi says of it."""
        has_debug = "DEBUG" in self.environ and answer.scanner_rc != _SAYS_NOTHING
        for line in answer.raw.splitlines():
            if has_debug or not line.startswith(_QHPSI_LINE):
                self._say(line.decode("utf-8", "backslashreplace"))
        if has_debug and not is_plugin and answer.verdict.name == "ERROR":
            self._say(f"{_QHPSI_LINE.decode()}{answer.reason}")

    def _refuse(self, error: QueueError, *, has_text: bool) -> int:
        """Return the exit code of an error; with QMAIL_QUEUE_CUSTOM_ERROR that is 88, and its text is written."""
        if self.is_verbose:
            self._say(f"{self.program}: {exit_code(error.exit_code).name} ({error.exit_code}): {error}")
        if not has_text:
            return error.exit_code
        cause = error.__cause__
        detail = cause.strerror or "" if isinstance(cause, OSError) else ""
        text = custom_error(error.exit_code, kind=error.path.partition("/")[0], detail=detail)
        try:
            os.write(self._custom_fd, text.encode("utf-8", "backslashreplace"))
        except OSError:
            return WRITE
        return CUSTOM

    def expire(self) -> int:
        """Return the exit code when the alarm goes off (52); the files stay where they are."""
        error = QueueError("timer expired", exit_code=TIMEOUT)
        has_text = "QMAIL_QUEUE_CUSTOM_ERROR" in self.environ and self.program == "qmail-queue"
        return self._refuse(error, has_text=has_text)

    @property
    def _custom_fd(self) -> int:
        """Return the descriptor for the text of an error: ERROR_FD, else fd 2. Source: custom_error.c."""
        return scan_number(self.environ["ERROR_FD"]) if "ERROR_FD" in self.environ else self.error_fd

    def _say(self, text: str) -> None:
        """Write a line to fd 2; if nobody reads it, that is no error."""
        with contextlib.suppress(OSError):
            os.write(self.error_fd, f"{visible(text, kept=_TAB)}\n".encode("utf-8", "backslashreplace"))


def _tell(queued: Queued) -> str:
    """Say in words what became of a message."""
    if queued.is_swallowed:
        return "swallowed after the scan"
    return f"queued in {queued.queue} as {queued.message_number}, qp {queued.qp}"


def _uid_of(user: str) -> int | None:
    """Return the uid of a user, None when there is none of this name."""
    import pwd

    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def main(call: QmailQueue | None = None) -> NoReturn:
    """Be the program: this process does nothing else.

    Args:
        call: What to do; by default what the name under which it was started and the variables INDIMAIL_KIT_SYNC and
            INDIMAIL_KIT_HOME say.
    """
    _occupy_standard_descriptors()
    call = QmailQueue(environ=dict(os.environ), **_options()) if call is None else call
    os.umask(UMASK)
    _settle_signals(call)
    # Not sys.exit: what Python does at its end could write to fd 1, which is the envelope.
    os._exit(call.run())


def _options() -> dict[str, Any]:
    """Return the options of the program that has no command line."""
    name = Path(sys.argv[0]).name
    sync = os.environ.get("INDIMAIL_KIT_SYNC", "safe")
    if sync not in SYNC_NAMES:
        os.write(2, b"qmail-queue: INDIMAIL_KIT_SYNC that is none of %b\n" % ", ".join(SYNC_NAMES).encode())
        os._exit(CONFIG)
    return {
        "program": name if name in PROGRAM_NAMES else "qmail-queue",
        "sync": sync,
        "home": Path(os.environ.get("INDIMAIL_KIT_HOME", HOME)),
    }


def _occupy_standard_descriptors() -> None:
    """Keep the queue's own files off the descriptors 0 … 2 where the caller closed one.

    What stands there instead cannot be read: a closed fd 0 must be a read error (54), not an empty message.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_WRONLY)  # takes the lowest free number, which is this one


def _settle_signals(call: QmailQueue) -> None:
    """Set the alarm and take the signals as qmail-queue takes them.

    Deviation:
        DEATH that is 0, no number or longer than a day is a day: without it a qmail-queue could outlive its own files,
        which qmail-clean removes after 36 hours.
    """
    for name in _IGNORED_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # With SIGCHLD ignored nobody could say how the scanner ended.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(call.expire()))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    death_s = scan_number(call.environ.get("DEATH", ""))
    signal.alarm(death_s if 0 < death_s < DEATH_S else DEATH_S)
