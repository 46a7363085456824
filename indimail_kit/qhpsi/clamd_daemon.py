"""A clamd of our own: private directory, private socket, teaching signatures; ends with its owner.

Source: clamd(8), clamd.conf(5); prctl(2).

Note for maintainers: the death signal of Linux is tied to the *thread* that started the child, and a lab may be
started from a thread that ends. So a keeper thread starts clamd and lives as long as clamd does: the signal comes
when the process dies, however it dies, and not before. Ubuntu's AppArmor profile lets clamd write below /tmp only,
and a socket's path may have 107 octets: hence a short directory in /tmp.

clamd answers a RELOAD at once and tells only its log how it went: a database with one bad line is not loaded, the old
signatures stay, and nobody who asks by the socket learns of it. So the log is read here.

Rule 1: only the process started here is ever signalled, through its Popen object, which knows whether it was reaped.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import MissingPartError, ScanError
from indimail_kit.qhpsi.clamd_client import ClamdClient
from indimail_kit.qhpsi.clamd_conf import LOOPBACK, config_text, find_clamd, free_port, require_options, require_short
from indimail_kit.qhpsi.private_dir import PrivateHoldings
from indimail_kit.qhpsi.signatures import DatabaseLine, teaching_signatures, write_database

if TYPE_CHECKING:
    import queue
    import subprocess

STOP_TIMEOUT_S: Final = 5.0
"""Time between SIGTERM and SIGKILL (unit: s)."""

_START: Final = Path(__file__).with_name("start_child.py")
_RELOADED: Final = re.compile(rb"Database correctly reloaded \((\d{1,18}) signatures\)")
_ACTIVE: Final = b"Activating the newly loaded database"


@dataclass(slots=True)
class _Holdings(PrivateHoldings):
    """What must be given back; apart from the daemon object, so that a finalizer can hold it."""

    process: subprocess.Popen[bytes] | None = None
    keeper: threading.Thread | None = None

    def end_process(self, first: signal.Signals) -> None:
        """Signal our child and wait for its end; insist after STOP_TIMEOUT_S."""
        process, keeper = self.process, self.keeper
        self.process = self.keeper = None
        if process is not None and keeper is not None:
            process.send_signal(first)
            process.send_signal(signal.SIGCONT)
            keeper.join(STOP_TIMEOUT_S)
            process.kill()
            process.wait()
            keeper.join()


def _give_back(holdings: _Holdings) -> None:
    """End clamd and remove its directory; not in a fork of the owner, which holds only a copy of this."""
    if holdings.is_ours:
        holdings.end_process(signal.SIGTERM)
        holdings.give_back_directory()


def _keep(argv: list[str], directory: Path, born: queue.SimpleQueue[subprocess.Popen[bytes] | OSError]) -> None:
    """Start clamd and live as long as it does (body of the keeper thread)."""
    import subprocess

    with (directory / "clamd.out").open("wb") as output:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                # Ctrl-C in the owner's terminal is for the owner.
                start_new_session=True,
            )
        except OSError as error:
            born.put(error)
            return
    born.put(process)
    # WNOWAIT: clamd stays a zombie, its number its own, until its Popen object reaps it.
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


class ClamdDaemon:
    """A private clamd, as a context manager.

    Use it with ``with``, or call `start` and `stop`; `close` (or the end of the process) also removes the directory.
    After `stop` or `kill` it can be started again, under the same paths.

    Attributes:
        directory: Where everything of it lies: clamd.conf, clamd.sock, clamd.log, db/, tmp/.
        socket_path: Its LocalSocket.
        tcp_port: Its port on 127.0.0.1, or None.
        config_path: Its clamd.conf, for ``clamdscan -c``.
        log_path: Its log; `indimail_kit.logs.read` reads it (the times are local).
        client: Asks it.

    Example::

        with ClamdDaemon() as clamd:
            clamd.client.scan_file(path)
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        extra_signatures: Iterable[DatabaseLine] = (),
        has_teaching_signatures: bool = True,
        options: Mapping[str, str] | None = None,
        has_tcp: bool = False,
        user: str | None = None,
        clamd: Path | None = None,
        scan_timeout_s: float = 120.0,
    ) -> None:
        """Prepare, without starting.

        Args:
            directory: Where to live; it must have a short path without white space and is left there. None = a new
                one in /tmp.
            extra_signatures: Besides the teaching ones; built ones too, see `signature_builder`.
            has_teaching_signatures: Whether EICAR and our two are known. Without any signature clamd says OK to
                everything.
            options: clamd.conf(5) options to add or replace; `clamd_conf.LESSON_OPTIONS` explains those of lessons.
            has_tcp: Listen on a free port of 127.0.0.1, too. Any user of this machine may then ask it.
            user: As root only: the user that clamd becomes. None = it stays who we are; descriptors that are passed
                to it need no rights.
            clamd: The program; None = look for it.
            scan_timeout_s: Time limit of `client` (unit: s).

        Raises:
            MissingPartError: There is no clamd.
            ScanError: The directory cannot hold a socket.
            FormatError: An option would break clamd.conf, or open it to the network.
        """
        program = clamd or find_clamd()
        if program is None:
            raise MissingPartError("clamd", "Install it: apt-get install --no-install-recommends clamav-daemon.")
        self._program = program
        self._signatures = (*(teaching_signatures() if has_teaching_signatures else ()), *extra_signatures)
        self._options = require_options(options or {})
        self.tcp_port = free_port() if has_tcp else None
        if has_tcp:
            self._options |= {"TCPSocket": str(self.tcp_port), "TCPAddr": LOOPBACK}
        self._user = user
        self._lock = threading.RLock()
        self._holdings = _Holdings(os.getpid())
        directory = self._holdings.settle_in(directory, prefix="ik-clamd-")
        self._finalizer = weakref.finalize(self, _give_back, self._holdings)
        self.directory = require_short(directory)
        self.socket_path = self.directory / "clamd.sock"
        self.config_path = self.directory / "clamd.conf"
        self.log_path = Path(self._options.get("LogFile", self.directory / "clamd.log"))
        self.client = ClamdClient(self.socket_path, timeout_s=scan_timeout_s)

    def __repr__(self) -> str:
        return f"ClamdDaemon({str(self.directory)!r}, pid={self.pid})"

    def __enter__(self) -> ClamdDaemon:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and clear up."""
        self.close()

    @property
    def pid(self) -> int | None:
        """Return clamd's process id, None when it does not run."""
        process = self._holdings.process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def is_running(self) -> bool:
        """Say whether clamd runs."""
        return self.pid is not None

    @property
    def version(self) -> str:
        """Return "ClamAV 1.4.6".

        Raises:
            ScanError: It does not run.
        """
        return self.client.version().partition("/")[0]

    @property
    def rss_bytes(self) -> int:
        """Return clamd's resident memory (unit: octets), 0 when it does not run."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def start(self, *, timeout_s: float = 20.0) -> None:
        """Start clamd and return when it answers PONG; nothing happens when it runs.

        Args:
            timeout_s: How long to wait for the answer (unit: s).

        Raises:
            ScanError: It ended at once or stayed silent (the text quotes its last words), or it was closed.
        """
        import queue

        with self._lock:
            if not self._finalizer.alive:
                raise ScanError("clamd: closed; its directory is gone")
            if self.is_running:
                return
            self._write_files()
            argv = [str(self._program), "-c", str(self.config_path)]
            if sys.executable:
                argv = [sys.executable, "-I", "-S", str(_START), str(os.getpid()), *argv]
            born: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
            keeper = threading.Thread(target=_keep, args=(argv, self.directory, born), name="clamd keeper", daemon=True)
            keeper.start()
            process = born.get()
            if isinstance(process, OSError):
                raise ScanError(f"clamd could not be started: {process.strerror}")
            self._holdings.process, self._holdings.keeper = process, keeper
            self._wait_for_pong(process, timeout_s)

    def stop(self) -> None:
        """End clamd in an orderly way; its directory and log stay."""
        with self._lock:
            self._holdings.end_process(signal.SIGTERM)

    def kill(self) -> None:
        """Kill clamd at once, as a crash would; socket and files stay as they are."""
        with self._lock:
            self._holdings.end_process(signal.SIGKILL)

    def freeze(self) -> None:
        """Freeze clamd (SIGSTOP): its socket still takes connections, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen clamd go on; nothing happens to one that is not, or does not run."""
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        with self._lock:
            if self._holdings.process is not None:
                self._holdings.process.send_signal(which)

    def close(self) -> None:
        """Stop clamd and remove its directory if it was made here."""
        with self._lock:
            self.stop()
            self._finalizer()

    @property
    def signatures(self) -> tuple[DatabaseLine, ...]:
        """Return what is in the database."""
        return self._signatures

    def add_signatures(self, signatures: Iterable[DatabaseLine], *, timeout_s: float = 20.0) -> int | None:
        """Add signatures to the database; a running clamd finds them when this returns.

        Args:
            signatures: What is added.
            timeout_s: How long to wait for clamd (unit: s).

        Returns:
            How many signatures clamd has now; None when it does not run.

        Raises:
            ScanError: clamd does not answer, did not load the database (the text says why), or not in time.
        """
        with self._lock:
            return self.use_signatures((*self._signatures, *signatures), timeout_s=timeout_s)

    def use_signatures(self, signatures: Iterable[DatabaseLine], *, timeout_s: float = 20.0) -> int | None:
        """Replace the whole database, the teaching signatures too; otherwise as `add_signatures`.

        When clamd does not load the new database, the old one is written again.
        """
        with self._lock:
            before, self._signatures = self._signatures, tuple(signatures)
            self._write_database()
            if not self.is_running:
                return None
            try:
                return self.reload(timeout_s=timeout_s)
            except ScanError:
                self._signatures = before
                self._write_database()
                raise

    def reload(self, *, timeout_s: float = 20.0) -> int:
        """Let clamd read its database again and wait until it uses it.

        Args:
            timeout_s: How long to wait (unit: s).

        Returns:
            How many signatures it has now.

        Raises:
            ScanError: It does not answer, kept the old database (the text says why), or was not ready in time.
        """
        with self._lock:
            known_bytes = self.log_path.stat().st_size if self.log_path.exists() else 0
            self.client.reload()
            deadline = time.monotonic() + timeout_s
            while True:
                said = self._log_since(known_bytes)
                if b"Database reload failed" in said:
                    raise ScanError(f"clamd kept its old database: {self._last_words()}")
                count = _RELOADED.search(said)
                if count and _ACTIVE in said:
                    return int(count[1])
                if time.monotonic() > deadline:
                    raise ScanError(f"clamd: no new database within {timeout_s:g} s after RELOAD")
                time.sleep(0.002)

    def _log_since(self, known_bytes: int) -> bytes:
        """Return what the log has behind an offset; a log that was rotated begins anew."""
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(known_bytes if log.seek(0, os.SEEK_END) >= known_bytes else 0)
            return log.read()
        return b""

    def _write_database(self) -> None:
        """Write the signatures where clamd reads them."""
        (self.directory / "db").mkdir(mode=0o700, exist_ok=True)
        write_database(self.directory / "db", self._signatures)

    def _write_files(self) -> None:
        """Make the directories, the signatures and clamd.conf."""
        for name in ("", "tmp"):
            (self.directory / name).mkdir(mode=0o700, exist_ok=True)
        self._write_database()
        self.config_path.write_text(config_text(self.directory, self._options, user=self._user), encoding="utf-8")
        if self._user is not None:
            import shutil

            for place in (self.directory, *self.directory.rglob("*")):
                shutil.chown(place, user=self._user)

    def _wait_for_pong(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        """Wait until clamd answers; end it when it does not."""
        impatient = ClamdClient(self.socket_path, timeout_s=1.0)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(ScanError):
                if impatient.ping():
                    return
            time.sleep(0.002)
        exit_code = process.poll()
        self._holdings.end_process(signal.SIGKILL)
        what = f"no PONG within {timeout_s:g} s" if exit_code is None else f"ended with exit code {exit_code}"
        raise ScanError(f"clamd: {what}: {self._last_words()}")

    def _last_words(self) -> str:
        """Return the end of what clamd printed."""
        try:
            printed = (self.directory / "clamd.out").read_bytes()
        except OSError:
            return "nothing printed"
        lines = [line for line in printed.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or "nothing printed"
