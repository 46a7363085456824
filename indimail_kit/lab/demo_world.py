"""The world of a day for `demo_server`: who writes to whom, and how the hosts of the recipients answer; and one mail.

Source: reports as the recorded logs have them (qmail-lspawn, qmail-remote).

Rule 1: pure: a source of randomness is a parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from indimail_kit.delivery.schedule import Channel

NS: Final = 10**9

LOCAL_DOMAIN: Final = "example.com"
"""Who lives here."""

DOMAINS: Final = ("example.net", "example.org", "grey.example.org", "down.example.net")
"""Everybody else; the third defers everybody once, the fourth does not answer for hours."""

_WEIGHTS: Final = (50, 30, 12, 8)

_DOWN_S: Final = (9 * 3_600, 13 * 3_600)

_OFFICE: Final = "192.0.2."
"""Beginning of the office's addresses."""

_NO_MAILBOX: Final = "Sorry, no mailbox here by that name. (#5.1.1)\n"


@dataclass(slots=True)
class Mail:
    """One mail and what became of it: the truth behind the logs.

    Attributes:
        sender: Envelope sender; empty for a bounce.
        recipients: Envelope recipients.
        client: Address that it came from; "" for a bounce.
        session_pid: Process of qmail-smtpd; 0 for a bounce.
        qp: Process of qmail-queue.
        queue: Name of the queue.
        message_number: Number in the queue; of a refused mail the one that it had until then.
        message_bytes: Size (unit: octets).
        scanned_ns: When clamd answered (unit: ns since 1970); 0 without a scan.
        is_infected: Whether it was refused for a virus.
        queued_ns: Time of ``new msg``; 0 for a mail that was refused.
        ended_ns: Time of ``end msg``; 0 while it is in the queue.
        lifetime: How many lives of this number there were in this queue, this one included; 0 when it was refused.
        outcomes: Recipient -> how the last attempt ended.
        attempts: Deliveries that ended.
        bounce_qp: qp of its bounce; 0 without one.
    """

    sender: str
    recipients: tuple[str, ...]
    client: str
    session_pid: int
    qp: int
    queue: str
    message_number: int
    message_bytes: int
    scanned_ns: int = 0
    is_infected: bool = False
    queued_ns: int = 0
    ended_ns: int = 0
    lifetime: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    bounce_qp: int = 0


def channel_of(recipient: str) -> Channel:
    """Return the channel of an address."""
    return "local" if recipient.endswith("@" + LOCAL_DOMAIN) else "remote"


def is_office(client: str) -> bool:
    """Say whether an address is the office's: its mail is logged in and goes anywhere."""
    return client.startswith(_OFFICE)


def draw_sender(random: Random, client: str) -> str:
    """Return who writes from an address."""
    return f"user{random.randrange(40)}@{LOCAL_DOMAIN if is_office(client) else random.choice(DOMAINS[:2])}"


def draw_recipients(random: Random, client: str) -> tuple[str, ...]:
    """Return who gets a mail from an address: mostly one, now and then thirty."""
    count = random.choices((1, 2, 3, 30), (80, 12, 6, 2))[0]
    return tuple(dict.fromkeys(_recipient(random, client) for _ in range(count)))


def _recipient(random: Random, client: str) -> str:
    if not is_office(client):
        return f"user{random.randrange(42)}@{LOCAL_DOMAIN}"  # user40 and user41 have no mailbox
    domain = random.choices(DOMAINS, _WEIGHTS)[0] if random.random() < 0.8 else LOCAL_DOMAIN
    return f"user{random.randrange(40)}@{domain}"


def draw_end(random: Random, mail: Mail, recipient: str, *, second: int, unix_s: int) -> tuple[str, str]:
    """Decide how an attempt ends.

    Args:
        random: Source of randomness.
        mail: The mail, with how its attempts ended so far.
        recipient: One of its recipients.
        second: Second of the day.
        unix_s: Time (unit: s since 1970).

    Returns:
        Outcome and report.
    """
    user, _at, domain = recipient.partition("@")
    if channel_of(recipient) == "local":
        return ("failure", _NO_MAILBOX) if user in ("user40", "user41") else ("success", "did 1+0+0\n")
    ip = f"203.0.113.{25 + DOMAINS.index(domain)}"
    if domain == "down.example.net" and _DOWN_S[0] <= second < _DOWN_S[1]:
        return "deferral", f"Sorry, I wasn't able to establish an SMTP connection to {ip}. (#4.4.1)\n"
    head = f"From: <{mail.sender}> RCPT: <{recipient}> {ip} "
    if domain == "grey.example.org" and recipient not in mail.outcomes:
        reply = f"451 4.7.1 greylisted, come back in {random.randrange(60, 400)} seconds"
        return "deferral", f"{head}does not like recipient.\nRemote host said: {reply}\nGiving up on {ip}.\n"
    if random.random() < 0.04:
        reply = "550 5.1.1 no such user"
        return "failure", f"{head}does not like recipient.\nRemote host said: {reply}\nGiving up on {ip}.\n"
    reply = f"250 2.0.0 ok {unix_s} qp {random.randrange(2_000, 32_000)}"
    return "success", f"{head}accepted message - Protocol SMTP.\nRemote host said: {reply}\n"
