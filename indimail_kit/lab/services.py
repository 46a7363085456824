"""clamd and freshclam as real services: svscan, supervise and multilog of daemontools, in a directory of our own.

Source: the seed text of 2010 (``rm /service/clamd/down``, ``svc -u``, ``svc -d``, the logs); svscan(8), supervise(8).

Note for maintainers: svscan, the supervises and what they run are one family below a guard (guard_child.py), which
ends all of them when it is told to or when its owner is gone. supervise pauses a second after each start of a service,
so a command may take that long.

Rule 1: nothing outlives its owner, and nothing outside the directory is touched.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from indimail_kit.control.supervise import Service, read_service, send_control
from indimail_kit.errors import LabError, ScanError, SuperviseError
from indimail_kit.lab.service_files import SERVICES, ServicePlaces, find_programs, write_mirror, write_services
from indimail_kit.logs.log import Log, read
from indimail_kit.qhpsi.clamd_client import ClamdClient
from indimail_kit.qhpsi.clamd_conf import require_short
from indimail_kit.qhpsi.private_dir import PrivateHoldings
from indimail_kit.qhpsi.signatures import DatabaseLine, Signature

ServiceName = Literal["clamd", "freshclam"]
"""The services that there are."""

STOP_S: Final = 15.0
"""How long the guard may take to end everything; its own patience is shorter (unit: s)."""

_GUARD: Final = Path(__file__).with_name("guard_child.py")
_STEP_S: Final = 0.01


@dataclass(slots=True)
class _Holdings(PrivateHoldings):
    """What must be given back; apart from the services object, so that a finalizer can hold it."""

    guard: subprocess.Popen[bytes] | None = None

    def end_guard(self) -> None:
        """End the guard, and with it the family."""
        guard = self.guard
        if guard is not None:
            guard.terminate()
            guard.wait(STOP_S)
            self.guard = None


def _give_back(holdings: _Holdings) -> None:
    """End all processes and remove the directory; not in a fork of the owner, which holds only a copy of this."""
    if holdings.is_ours:
        holdings.end_guard()
        holdings.give_back_directory()


class Services:
    """A private /service, watched by a real svscan, with clamd and freshclam in it; a context manager.

    Both are down at first, by a file ``down`` in each, as IndiMail installs them. What a person types works too, with
    `service_directory` in place of /service, and so do svc and svstat.

    Attributes:
        directory: Where everything of it lies; removed at the end.
        names: The services that there are; without an installed freshclam only clamd.
        socket_path: clamd's socket.
        config_path: clamd's configuration, for ``clamdscan -c``.
        client: Asks clamd.

    Example::

        with Services() as services:
            services.status("clamd").state        # 'down': the file down is there
            services.remove_down("clamd")         # rm /service/clamd/down
            services.svc("-u", "clamd")           # svc -u /service/clamd
            services.wait_until("clamd", "up")
            services.log_lines("clamd")           # tail /var/log/indimail/clamd/current
            services.svc("-d", "clamd")
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        down: Collection[str] = SERVICES,
        extra_signatures: Iterable[DatabaseLine] = (),
        scan_timeout_s: float = 120.0,
    ) -> None:
        """Prepare, without starting.

        Args:
            directory: Where to live; a short path without white space, which is left there. None = a new one in /tmp.
            down: The services that get a file ``down``, so that they do not come up by themselves.
            extra_signatures: For clamd, besides the teaching ones.
            scan_timeout_s: Time limit of `client` (unit: s).

        Raises:
            MissingPartError: daemontools or clamd is not installed.
            ScanError: The directory cannot hold a socket.
        """
        self._programs = find_programs()
        self._down = frozenset(down)
        self._extra = tuple(extra_signatures)
        self._lock = threading.RLock()
        self._holdings = _Holdings(os.getpid())
        self.directory = self._holdings.settle_in(directory, prefix="ik-services-")
        self._finalizer = weakref.finalize(self, _give_back, self._holdings)
        self._places = ServicePlaces(self.directory)
        self.socket_path = self._places.clamd / "clamd.sock"
        self.config_path = self._places.clamd / "clamd.conf"
        require_short(self._places.clamd)
        self.client = ClamdClient(self.socket_path, timeout_s=scan_timeout_s)
        self.names: tuple[str, ...] = SERVICES if self._programs.freshclam is not None else SERVICES[:1]

    def __repr__(self) -> str:
        """Return one line: where, and in which state each service is."""
        states = ", ".join(f"{service.name} {service.state}" for service in self.statuses()) if self.is_running else ""
        return f"<Services in {self._places.services}: {states or 'not started'}>"

    def __enter__(self) -> Self:
        """Start svscan."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """End everything and clear up."""
        self.close()

    # -- life ----------------------------------------------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Say whether svscan runs."""
        guard = self._holdings.guard
        return guard is not None and guard.poll() is None

    @property
    def pid(self) -> int | None:
        """Return the number of the guard, the first of the family; None when nothing runs."""
        guard = self._holdings.guard
        return guard.pid if guard is not None and guard.poll() is None else None

    def start(self, *, timeout_s: float = 20.0) -> Self:
        """Start svscan; return when every service and its log are supervised, and those without ``down`` are up.

        Raises:
            LabError: svscan ended at once or a service did not come (the text quotes what was printed).
        """
        with self._lock:
            if not self._finalizer.alive:
                raise LabError("the services were closed; their directory is gone")
            if self.is_running:
                return self
            self.names = write_services(self._places, self._programs, down=self._down, extra_signatures=self._extra)
            search = os.pathsep.join(
                dict.fromkeys([str(self._programs.supervise.parent), *os.defpath.split(os.pathsep)])
            )
            with (self.directory / "svscan.out").open("wb") as output:
                self._holdings.guard = subprocess.Popen(
                    [
                        sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()),
                        str(self._programs.svscan), str(self._places.services),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.directory,
                    env={"PATH": search, "LC_ALL": "C"},
                    # Ctrl-C in the owner's terminal is for the owner.
                    start_new_session=True,
                )  # fmt: skip
            try:
                for name in self.names:
                    self._wait(name, lambda service: service.is_supervised, timeout_s, "is not supervised")
                    self._wait(f"{name}/log", lambda log: log.is_up is True, timeout_s, "does not run")
                for name in set(self.names) - self._down:
                    self.wait_until(name, "up", timeout_s=timeout_s)
            except LabError:
                self._holdings.end_guard()
                raise
        return self

    def stop(self) -> None:
        """End the services, then supervise and svscan; the directory and the logs stay."""
        with self._lock:
            if self.is_running:
                for name in self.names:
                    with contextlib.suppress(SuperviseError, LabError):
                        self.svc("-cd", name)
                for name in self.names:
                    with contextlib.suppress(LabError):
                        self.wait_until(name, "down", timeout_s=5.0)
            self._end_orphans()
            self._holdings.end_guard()

    def close(self) -> None:
        """Stop, and remove the directory if it was made here."""
        with self._lock:
            self.stop()
            self._finalizer()

    def _end_orphans(self) -> None:
        """Tell every supervise to end by itself, when somebody has killed the guard and so nobody else will."""
        if self._holdings.guard is None or self._holdings.guard.poll() is None:
            return
        names = [part for one in self.names for part in (one, f"{one}/log")]
        for name in names:
            with contextlib.suppress(SuperviseError, LabError):
                send_control(self._read(name), "cdx")
        for name in names:
            with contextlib.suppress(LabError):
                self._wait(name, lambda service: not service.is_supervised, 5.0, "")

    # -- what a person does --------------------------------------------------------------------------------------

    @property
    def service_directory(self) -> Path:
        """Return the directory that svscan scans: /service on a real host."""
        return self._places.services

    @property
    def mirror(self) -> Path:
        """Return the database that freshclam fetches; what a lesson writes there, clamd gets."""
        return self._places.mirror

    def path(self, name: str) -> Path:
        """Return the directory of a service: /service/NAME on a real host.

        Raises:
            LabError: There is no such service.
        """
        if name.partition("/")[0] not in self.names:
            raise LabError(f"no service {name!r} here; there are {', '.join(self.names)}")
        return self._places.services / name

    def status(self, name: str) -> Service:
        """Return what a service does now; ``clamd/log`` is the one that writes clamd's log.

        Raises:
            LabError: There is no such service.
            SuperviseError: Its directory was damaged.
        """
        return self._read(name)

    def statuses(self) -> tuple[Service, ...]:
        """Return what all services do now."""
        return tuple(self._read(name) for name in self.names)

    def remove_down(self, *names: str) -> None:
        """Remove the file ``down``: rm /service/NAME/down. It changes nothing until supervise or `svc` starts it."""
        for name in names:
            (self.path(name) / "down").unlink(missing_ok=True)

    def svc(self, options: str, *names: str) -> None:
        """Tell supervise what to do, as ``svc OPTIONS /service/NAME…`` does; it returns at once, as svc does.

        Args:
            options: "-u", "-d", "-t", "-a" …
            names: The services.

        Raises:
            LabError: There is no such service.
            SuperviseError: No supervise runs there.
            ValueError: There is no such option.
        """
        for name in names:
            send_control(self._read(name), options.removeprefix("-"))

    def wait_until(self, name: str, state: Literal["up", "down"], *, timeout_s: float = 10.0) -> Service:
        """Wait until a service is up, clamd until it answers, or until it is down.

        Raises:
            LabError: It did not become so in time.
        """

        def is_so(service: Service) -> bool:
            if service.is_up is not (state == "up"):
                return False
            return state == "down" or name != "clamd" or self._answers()

        return self._wait(name, is_so, timeout_s, f"is not {state}")

    def up(self, name: str) -> Service:
        """Do ``svc -u`` and wait until the service is up."""
        self.svc("-u", name)
        return self.wait_until(name, "up")

    def down(self, name: str) -> Service:
        """Do ``svc -d`` and wait until the service is down."""
        self.svc("-d", name)
        return self.wait_until(name, "down")

    def log_path(self, name: str) -> Path:
        """Return the file that multilog writes now: /var/log/indimail/NAME/current on a real host."""
        self.path(name)
        return self._places.log(name) / "current"

    def log_lines(self, name: str) -> list[bytes]:
        """Return the lines of a service's log, labels included; none before its first start."""
        path = self.log_path(name)
        return path.read_bytes().splitlines() if path.exists() else []

    def log(self, name: str) -> Log:
        """Return a service's log as events."""
        return read(self.log_path(name).parent)

    def wait_for_log(self, name: str, kind: str, *, timeout_s: float = 10.0) -> Log:
        """Return a service's log when it has a line of a kind; multilog, a process of its own, writes a moment later.

        Raises:
            LabError: There was no such line in time.
        """
        self._wait(name, lambda _service: kind in self.log(name).kinds, timeout_s, f"has logged no {kind}")
        return self.log(name)

    def offer_signatures(self, signatures: Iterable[Signature]) -> None:
        """Put signatures where freshclam fetches them; ``svc -a`` on freshclam makes it look at once."""
        write_mirror(self._places, signatures)

    def _answers(self) -> bool:
        try:
            return ClamdClient(self.socket_path, timeout_s=1.0).ping()
        except ScanError:
            return False

    def _read(self, name: str) -> Service:
        # Only here: a host with IndiMail may have a service of the same name below /run/svscan.
        return read_service(self.path(name), run_directories=())

    def _wait(self, name: str, is_so: Callable[[Service], bool], timeout_s: float, what: str) -> Service:
        """Look until it is so."""
        deadline = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(SuperviseError):  # supervise is just making its files
                service = self._read(name)
                if is_so(service):
                    return service
            if time.monotonic() > deadline or (not self.is_running and what):
                raise LabError(f"{name} {what} after {timeout_s:g} s: {self._last_words(name)}")
            time.sleep(_STEP_S)

    def _last_words(self, name: str) -> str:
        """Return the end of what svscan and the service printed."""
        printed = (self.directory / "svscan.out").read_bytes().splitlines()[-2:]
        lines = printed + self.log_lines(name.partition("/")[0])[-3:]
        return " / ".join(line.decode("utf-8", "backslashreplace") for line in lines) or "nothing printed"
