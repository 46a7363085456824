"""Where everything of a lab lies: one directory that looks like a small IndiMail host, and the files in it.

::

    LAB/control/          me, locals, rcpthosts, tcp.smtp; smtproutes where there is a second host
    LAB/service/qmail-smtpd.25/variables/   QHPSI, REJECTVIRUS, …   (envdir)
    LAB/service/clamd, LAB/service/freshclam   links to the supervised services, where they are wanted
    LAB/users.sqlite      the table `indimail`
    LAB/queue/queue1 …    the queues
    LAB/log/              deliver.25/current (qmail-send), smtpd.25/current (tcpserver, qmail-smtpd), clamd.log is
    clamd's own LAB/mail/DOMAIN/USER/Maildir
    LAB/second/Maildir    what the second host took, where there is one
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

HOST: Final = "mx.example.com"
"""Name of the lab's host (control/me); a name of RFC 2606."""

DOMAIN: Final = "example.com"
"""The domain that the lab takes mail for."""

FAR_DOMAIN: Final = "example.org"
"""The domain whose mail goes to the second host, where there is one."""

USERS: Final = ("postmaster", "ann", "bob", "carol")
"""Local parts of the demo users; postmaster and his password are the seed text's."""

DEMO_PASSWORD: Final = "pass"  # noqa: S105 - the seed text's, public since 2010
"""Password of every demo user."""

SMTPD: Final = "qmail-smtpd.25"
"""Name of the SMTP service in /service."""

SEND: Final = "qmail-send.25"
"""Name of the service of qmail-send in /service."""

RULES: Final = """\
# Who may do what, looked up by tcpserver for each client; edit and connect again.
127.:allow
:deny
"""
"""The lab's tcp.smtp: loopback only, as everything here."""


class Places:
    """The paths of a lab.

    Attributes:
        directory: The lab's own directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def control(self) -> Path:
        """Return the control directory."""
        return self.directory / "control"

    @property
    def rules(self) -> Path:
        """Return tcp.smtp."""
        return self.control / "tcp.smtp"

    @property
    def routes(self) -> Path:
        """Return smtproutes."""
        return self.control / "smtproutes"

    @property
    def second_maildir(self) -> Path:
        """Return the Maildir of the second host."""
        return self.directory / "second" / "Maildir"

    @property
    def services(self) -> Path:
        """Return the directory of the services: /service on a real host."""
        return self.directory / "service"

    @property
    def variables(self) -> Path:
        """Return the envdir of the SMTP service."""
        return self.services / SMTPD / "variables"

    @property
    def users(self) -> Path:
        """Return the user table's SQLite file."""
        return self.directory / "users.sqlite"

    @property
    def queue_base(self) -> Path:
        """Return the directory of the queues (QUEUE_BASE)."""
        return self.directory / "queue"

    @property
    def send_log(self) -> Path:
        """Return the log directory of qmail-send."""
        return self.directory / "log" / "deliver.25"

    @property
    def smtpd_log(self) -> Path:
        """Return the log directory of tcpserver and qmail-smtpd."""
        return self.directory / "log" / "smtpd.25"

    def maildir(self, address: str) -> Path:
        """Return the Maildir of a local address."""
        user, _, domain = address.partition("@")
        return self.directory / "mail" / domain / user / "Maildir"

    def link_services(self, targets: Mapping[str, Path]) -> None:
        """Link services that live elsewhere into /service, as a real /service holds links."""
        self.unlink_services(targets)
        for name, target in targets.items():
            (self.services / name).symlink_to(target)

    def unlink_services(self, names: Iterable[str]) -> None:
        """Remove the links again; what is no link stays."""
        for name in names:
            if (self.services / name).is_symlink():
                (self.services / name).unlink()

    def write_control(self) -> None:
        """Write the control files that are not there yet."""
        self.control.mkdir(parents=True, exist_ok=True)
        self.variables.mkdir(parents=True, exist_ok=True)
        texts = {"me": HOST, "locals": DOMAIN, "rcpthosts": DOMAIN, "tcp.smtp": RULES.rstrip("\n")}
        for name, text in texts.items():
            path = self.control / name
            if not path.exists():
                path.write_text(text + "\n", encoding="utf-8")

    def write_route(self, domain: str, address: tuple[str, int]) -> None:
        """Write a domain's route into smtproutes, in place of an older one; the others stay."""
        old = self.routes.read_text(encoding="utf-8").splitlines() if self.routes.exists() else []
        others = [line for line in old if not line.startswith(f"{domain}:")]
        lines = [f"{domain}:{address[0]}:{address[1]}", *others]
        self.routes.write_text("\n".join(lines) + "\n", encoding="utf-8")
