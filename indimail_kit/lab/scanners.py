"""The lab's scanner: its own clamd, clamdscan as the seed configures it, or the embedded rules.

QHPSI in the service's variables switches scanning on, as on a real host. The lab writes a value there that works in a
terminal too; as long as it stands unchanged, the lab asks its scanner directly over the socket, which is faster than a
process a mail, and believes its "clean" only while it finds EICAR. Any other value is run as the command that it is.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final, Literal

from indimail_kit import qhpsi
from indimail_kit.errors import LabError, MissingPartError
from indimail_kit.lab.services import Services
from indimail_kit.qhpsi.canary import CanaryScanner
from indimail_kit.qhpsi.clamd_conf import find_clamd
from indimail_kit.qhpsi.clamd_daemon import ClamdDaemon
from indimail_kit.qhpsi.private_dir import PARENT
from indimail_kit.qhpsi.scan_user import scan_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from indimail_kit.mailqueue.layout import QueueLayout
    from indimail_kit.qhpsi.config import QhpsiConfig
    from indimail_kit.qhpsi.verdict import Scanner

ScannerChoice = Literal["auto", "clamd", "embedded", "command"]
"""What may be asked for: the best there is, clamd by its socket, the built-in rules, clamdscan as a process a mail."""

SCANNER_CHOICES: Final[tuple[ScannerChoice, ...]] = ("auto", "clamd", "embedded", "command")
"""Every choice."""


class LabScanner:
    """Starts, names, stops and hands out the lab's scanner.

    Attributes:
        kind: "clamd", "embedded" or "command": what "auto" became.
        name: For people, with version.
        qhpsi: The value of QHPSI that stands for it.
        daemon: The lab's own clamd, or None.
        services: clamd and freshclam under supervise, or None.
    """

    def __init__(self, choice: ScannerChoice, *, supervised: bool = False) -> None:
        if choice in ("clamd", "command") and find_clamd() is None:
            raise MissingPartError(
                "clamd", "Install clamav-daemon (and clamdscan), or use the embedded scanner: --scanner embedded."
            )
        self.kind = ("clamd" if find_clamd() is not None else "embedded") if choice == "auto" else choice
        self.daemon: ClamdDaemon | None = None
        if supervised and self.kind == "embedded":
            raise LabError("only clamd can be supervised; ask for the scanner clamd")
        self.services = Services(down=("freshclam",)) if supervised else None
        self.name = "embedded scanner"
        self.qhpsi = f"{sys.executable} -m indimail_kit scan --scanner embedded %s"
        self._direct: Scanner | None = None

    def start(self) -> None:
        """Start it; return when it answers. A second start after `stop` works again."""
        if self.kind == "embedded":
            self._direct = qhpsi.embedded()
            self.name = "embedded scanner (teaching rules, no clamd here)"
            return
        clamd = self._start_supervised(self.services) if self.services is not None else self._start_daemon()
        whose = "the lab's own clamd, " + ("supervised, " if self.services is not None else "") + "teaching signatures"
        open_to_scanner(clamd.config_path, clamd.socket_path)
        self.name = f"{clamd.client.version().partition('/')[0]} ({whose})"
        self.qhpsi = f"/usr/bin/clamdscan -c {clamd.config_path} --fdpass --quiet --no-summary %s"
        if self.kind == "clamd":
            client = qhpsi.clamd(clamd.socket_path)
            self._direct = CanaryScanner(client, lambda: client.scan_stream(qhpsi.eicar()))

    def _start_daemon(self) -> ClamdDaemon:
        if self.daemon is None:
            self.daemon = ClamdDaemon()
        self.daemon.start()
        return self.daemon

    @staticmethod
    def _start_supervised(services: Services) -> Services:
        services.start()
        services.up("clamd")
        return services

    def require_services(self) -> Services:
        """Return the services.

        Raises:
            LabError: There are none.
        """
        if self.services is None:
            raise LabError("no supervised services here; make the lab with Lab(scanner='clamd', supervised=True)")
        return self.services

    def close(self) -> None:
        """Stop it, and what watches over it."""
        if self.services is not None:
            self.services.stop()
        else:
            self.stop()

    def stop(self) -> None:
        """Stop it; mails are then answered with 451, as on a host whose clamd is down."""
        if self.services is not None:
            self.services.down("clamd")
        elif self.daemon is not None:
            self.daemon.stop()
        elif self._direct is not None:
            self._direct = _stopped

    @contextlib.contextmanager
    def asking(self, scanner: Scanner) -> Iterator[None]:
        """Ask another scanner for a while.

        Raises:
            LabError: The lab runs a command for each mail and asks nobody by a socket.
        """
        if self._direct is None:
            raise LabError('no scanner is asked directly: use Lab(scanner="clamd")')
        before, self._direct = self._direct, scanner
        try:
            yield
        finally:
            self._direct = before

    def scanner_for(self, config: QhpsiConfig, environ: Mapping[str, str], layout: QueueLayout) -> Scanner:
        """Return what QHPSI asks for."""
        if self._direct is not None and config.command == self.qhpsi:
            return self._direct
        # As on a real host: home/queue/queue1, home/plugins.
        return qhpsi.command(config, environ, cwd=layout.directory, home=layout.directory.parents[1])


def open_to_scanner(config_path: Path, socket_path: Path) -> None:
    """As root: let clamdscan, which runs as the scanner's user, reach a clamd of ours.

    clamd itself stays as it is: with another User it would lose the death signal that ends it with the lab.
    """
    user = scan_user()
    if user is None:
        return
    # Only what is ours: below /tmp, made with mode 700.
    above = [path for path in {*config_path.parents, *socket_path.parents} if PARENT in path.parents]
    shut = [path for path in above if path.stat().st_mode & 0o777 == 0o700]
    for path, mode in (*((path, 0o710) for path in shut), (config_path, 0o640), (socket_path, 0o660)):
        os.chown(path, -1, user.gid)
        path.chmod(mode)


def _stopped(_path: object) -> qhpsi.ScanAnswer:
    """Answer for the embedded scanner while it is stopped."""
    return qhpsi.ScanAnswer(qhpsi.Verdict.ERROR, scanner="embedded scanner", reason="the scanner was stopped")
