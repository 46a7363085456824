"""A virus behind clamd's StreamMaxLength, and who lets it through: the real clamdscan, asked in three ways.

``clamdscan --stream`` sends a file in pieces until clamd's StreamMaxLength, and takes what it has sent for the file: a
virus behind the limit is exit code 0, which QHPSI reads as clean. ``--fdpass`` hands clamd the whole file. Our own
client, by stream, hears clamd's "size limit exceeded" and calls the mail not scanned.

Source: clamdscan(1), clamd.conf(5) StreamMaxLength; ClamAV 1.4.6, tried.

Rule 1: a row says what the command said and what became of the mail; that the mail holds EICAR is known, because it
was put there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from indimail_kit.errors import LabError, MissingPartError
from indimail_kit.lab.scanners import open_to_scanner
from indimail_kit.qhpsi.clamd_daemon import ClamdDaemon
from indimail_kit.qhpsi.signatures import eicar
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

if TYPE_CHECKING:
    from indimail_kit.lab.journey import Journey
    from indimail_kit.lab.lab import Lab

STREAM_LIMIT_BYTES: Final = 65_536
"""StreamMaxLength of the clamd that is asked (unit: octets)."""

COLUMNS: Final = ("asked", "QHPSI", "what the command said", "X-QHPSI", "reply")
"""Columns of the table."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One way to ask about the mail.

    Attributes:
        way: Short name of the way.
        qhpsi: The value of QHPSI.
        said: What the command said: exit code, or the client's verdict with its reason.
        journey: What became of the mail.
    """

    way: str
    qhpsi: str
    said: str
    journey: Journey

    @property
    def row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        return self.way, self.qhpsi, self.said, self.journey.header or "(none)", self.journey.smtp_reply


@dataclass(frozen=True, slots=True)
class FailOpen:
    """The same infected mail, asked about in several ways.

    Attributes:
        mail_bytes: Size of the mail (unit: octets).
        virus_offset: Where EICAR begins in it (unit: octets).
        limit_bytes: clamd's StreamMaxLength (unit: octets).
        asked: One for each way.
    """

    mail_bytes: int
    virus_offset: int
    limit_bytes: int
    asked: tuple[Asked, ...]

    @property
    def let_through(self) -> tuple[Asked, ...]:
        """Return the ways in which the infected mail was marked clean."""
        return tuple(one for one in self.asked if one.journey.header == "X-QHPSI: clean")

    @property
    def sentence(self) -> str:
        """Say what was seen."""
        ways = " and ".join(one.way for one in self.let_through) or "nobody"
        return (
            f"A mail of {self.mail_bytes:,} octets, EICAR at {self.virus_offset:,}, StreamMaxLength"
            f" {self.limit_bytes:,}: marked clean by {ways}."
        )

    def __repr__(self) -> str:
        """Return a table for a terminal."""
        rows = [COLUMNS, *(one.row for one in self.asked)]
        widths = [max(len(row[column]) for row in rows) for column in (0, 2, 3)]
        lines = (f"{row[0]:{widths[0]}}  {row[2]:{widths[1]}}  {row[3]:{widths[2]}}  {row[4]}" for row in rows)
        return "\n".join(visible(line.rstrip()) for line in (self.sentence, *lines))

    def _repr_html_(self) -> str:
        return str(provider("grid_html")(self.sentence, COLUMNS, [one.row for one in self.asked]))


def mail_with_late_virus(*, before_bytes: int = 2 * STREAM_LIMIT_BYTES) -> bytes:
    """Return a mail whose text is harmless for so many octets, and then EICAR.

    Args:
        before_bytes: Octets of harmless text before the virus.
    """
    line = b"A line of harmless text, so that the end of this mail is far away.\n"
    head = b"From: ann@example.com\nTo: bob@example.com\nSubject: long\n\n"
    return head + line * (before_bytes // len(line) + 1) + eicar() + b"\n"


def stream_fail_open(lab: Lab) -> FailOpen:
    """Send one mail with a virus behind StreamMaxLength three times, each time with another QHPSI.

    Args:
        lab: A running lab; afterwards its QHPSI is as before.

    Raises:
        LabError: The lab's scanner is not clamd.
        MissingPartError: clamdscan is not installed.
    """
    import shutil

    program = shutil.which("clamdscan", path="/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        raise MissingPartError("clamdscan", "Install it: apt-get install --no-install-recommends clamdscan.")
    mail = mail_with_late_virus()
    before = lab.variable("QHPSI")
    with ClamdDaemon(options={"StreamMaxLength": str(STREAM_LIMIT_BYTES)}) as clamd:
        open_to_scanner(clamd.config_path, clamd.socket_path)
        asked = []
        try:
            for way in ("--stream", "--fdpass"):
                command = f"{program} -c {clamd.config_path} {way} --quiet --no-summary %s"
                lab.set_variable("QHPSI", command)
                asked.append(_asked(f"clamdscan {way}", command, lab.send(message=mail, case=way)))
        finally:
            lab.set_variable("QHPSI", before)
        with lab.asking(lambda path: clamd.client.scan_stream(path.read_bytes())):
            journey = lab.send(message=mail, case="own client")
            asked.append(_asked("our client, by stream", before or "", journey))
    return FailOpen(len(mail), mail.index(eicar()), STREAM_LIMIT_BYTES, tuple(asked))


def _asked(way: str, command: str, journey: Journey) -> Asked:
    """Read from the journey what was said."""
    answer = journey.report.answer if journey.report is not None else None
    if answer is None:
        raise LabError(f"{way} was not asked: {journey.smtp_reply or 'the mail got no reply'}")
    code = answer.scanner_rc
    said = f"exit code {code}" if code is not None else f"{answer.verdict.value}: {answer.reason or answer.signature}"
    return Asked(way, command, said, journey)
