"""What the sender is told when a message cannot be delivered: who gets a bounce, and its text.

The form is QSBMF, which programs can read: a paragraph that begins with "Hi. This is the", one paragraph for each
recipient ("<address>:" and the reason), a paragraph that begins with a dash, and the message.

Source: QSBMF (https://cr.yp.to/proto/qsbmf.txt); IndiMail qmail-send.c `addbounce()`, `injectbounce()`.

Rule 1: decisions and text only; `ending` does the deeds.
Rule 2: nothing from the message reaches the header of the bounce but the quoted address of the sender.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from indimail_kit.delivery.routing import VERP_END, quote_address
from indimail_kit.mailqueue.received import format_date

DOUBLE_BOUNCE_SENDER: Final = b"#@[]"
"""Sender of the bounce of a bounce; a message from it that fails is thrown away. Source: qmail-send(8)."""

MAX_COPY_OCTETS: Final = 50000
"""How much of the message a bounce encloses (unit: octets). Source: qmail-send.c `bouncemaxbytes`."""

_FIRST_PARAGRAPH: Final = {
    "single": (
        b"The message below could not be delivered to these addresses. The fault is\n"
        b"permanent, so no further attempt will be made.\n"
    ),
    "double": (
        b"A notice about a failed delivery could itself not be delivered to this\n"
        b"address. You receive it because you look after this machine.\n"
    ),
}
_BREAK: Final = {
    "single": b"--- The message follows below this line.\n",
    "double": b"--- The notice follows below this line.\n",
}
_EMPTY_LINE: Final = re.compile(rb"(?<=\n)\n")
_CUT: Final = b"\n\n--- The rest of it is left out here.\n"


@dataclass(frozen=True, slots=True)
class BounceSettings:
    """The control files about bounces.

    Attributes:
        host: control/bouncehost, doublebouncehost: this machine's name in From and in the first paragraph.
        double_bounce_to: control/doublebounceto: user or address that gets double bounces; with "@" first: nobody.
        mailer: control/bouncefrom: local part of From.
        subject: control/bouncesubject, doublebouncesubject.
    """

    host: str
    double_bounce_to: str = "postmaster"
    mailer: str = "MAILER-DAEMON"
    subject: str = "failure notice"

    @property
    def postmaster(self) -> bytes:
        """Return the address that gets double bounces."""
        whole = self.double_bounce_to if "@" in self.double_bounce_to else f"{self.double_bounce_to}@{self.host}"
        return whole.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class BouncePlan:
    """Who gets a bounce.

    Attributes:
        rank: "single", "double", or "triple"; a discarded one keeps its rank.
        sender: Envelope sender of the bounce.
        recipient: Its only recipient; empty when it is thrown away.
        original_sender: Sender of the message, for the Return-Path of the copy.
    """

    rank: Literal["single", "double", "triple"]
    sender: bytes
    recipient: bytes
    original_sender: bytes

    @property
    def is_discarded(self) -> bool:
        """Say whether nobody is told."""
        return not self.recipient


def plan_bounce(sender: bytes, *, settings: BounceSettings) -> BouncePlan:
    """Decide who is told that a message of this sender failed.

    Source:
        qmail-send.c `injectbounce()`.

    Example:
        >>> plan_bounce(b"ann@example.com", settings=BounceSettings("mx.example.com")).recipient
        b'ann@example.com'
        >>> plan_bounce(b"", settings=BounceSettings("mx.example.com")).recipient
        b'postmaster@mx.example.com'
    """
    if sender == DOUBLE_BOUNCE_SENDER:
        return BouncePlan("triple", b"", b"", sender)
    if sender.endswith(VERP_END):
        sender = sender[: -len(VERP_END)]
    if sender:
        return BouncePlan("single", b"", sender, sender)
    postmaster = settings.postmaster
    return BouncePlan("double", DOUBLE_BOUNCE_SENDER, b"" if postmaster.startswith(b"@") else postmaster, sender)


def bounce_block(recipient: bytes, report: bytes) -> bytes:
    r"""Write the paragraph about one recipient for the bounce file.

    Args:
        recipient: The address as people know it.
        report: Why it failed; an empty line within would end the paragraph, so a newline behind a newline becomes "/".

    Source:
        qmail-send.c `addbounce()`; recorded bounce files.

    Example:
        >>> bounce_block(b"fail@local.test", b"no way\n")
        b'<fail@local.test>:\nno way\n\n'
    """
    reason = report.rstrip(b"\n")
    block = b"<" + recipient.replace(b"\n", b"_") + b">:\n" + reason + (b"\n" if reason else b"")
    return _EMPTY_LINE.sub(b"/", block) + b"\n"


def render_bounce(
    plan: BouncePlan, *, settings: BounceSettings, unix_s: int, blocks: bytes, message: bytes, is_cut: bool = False
) -> bytes:
    """Write the whole bounce message.

    Args:
        plan: Who gets it; not a discarded one.
        settings: The control files.
        unix_s: Time for the Date line (unit: s since 1970).
        blocks: The bounce file: one paragraph for each recipient.
        message: The message, at most MAX_COPY_OCTETS of it.
        is_cut: Whether more of the message is left out.

    Source:
        QSBMF; the sentences are ours where the form leaves them free.
    """
    rank = "single" if plan.rank == "single" else "double"
    host = settings.host.encode("utf-8", "surrogateescape")
    mailer = quote_address(settings.mailer.encode() + b"@" + host)
    return b"".join(
        (
            b"Date: " + format_date(unix_s) + b"\n",
            b"From: " + mailer + b"\n",
            b"To: " + quote_address(plan.recipient) + b"\n",
            b"Subject: " + settings.subject.encode() + b"\n\n",
            b"Hi. This is the qmail-send program at " + host + b".\n",
            _FIRST_PARAGRAPH[rank] + b"\n",
            blocks,
            _BREAK[rank] + b"\n",
            b"Return-Path: <" + quote_address(plan.original_sender) + b">\n",
            message,
            _CUT if is_cut else b"",
        )
    )
