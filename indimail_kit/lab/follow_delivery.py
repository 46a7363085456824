"""What one delivery of qmail-send means for the last stations of a mail: send and inbox; changes nothing by itself.

Source: qmail-log(5), "delivery"; the filters are vfilter's.

Rule 1: everything that becomes a RawBlock is harmless text, see `shown`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from indimail_kit.lab.journey import Arrival, Journey, RawBlock, StationState
from indimail_kit.lab.shown import as_text

if TYPE_CHECKING:
    from indimail_kit.delivery.send import SendEvent

Change: TypeAlias = tuple[str, StationState, dict[str, Any]]
"""A station's key, its state from now on, and the attributes that change with it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What follows from one delivery.

    Attributes:
        journey: The journey from now on.
        stations: Changes, in the order in which they are to be told.
        is_over: Nothing more will happen to the mail.
    """

    journey: Journey
    stations: tuple[Change, ...]
    is_over: bool = False


def delivered(
    event: SendEvent, journey: Journey, sent: bytes, *, is_bounce: bool, far: tuple[RawBlock, ...] = ()
) -> Told:
    """Tell what the end of one delivery attempt means.

    Args:
        event: The attempt, of kind "delivery".
        journey: The journey so far.
        sent: The mail as the client sent it.
        is_bounce: What was delivered is the bounce of the mail, not the mail.
        far: What can be shown of the other host, of a remote delivery.
    """
    facts = (("delivery", str(event.delivery_number)), ("outcome", event.outcome), ("report", event.report))
    send = {"summary": event.report.rstrip("/"), "facts": facts}
    if event.outcome == "success" and is_bounce:
        return Told(journey, (_bounced(event, journey, far),))
    if event.outcome == "success" and event.channel == "remote":
        return _sent_away(event, journey, send, far)
    if event.outcome == "success" and event.path is None:
        return _not_stored(event, journey, send)
    if event.outcome == "success":
        return _stored(event, journey, sent, send)
    if event.outcome == "failure":
        failed = send | {"summary": "failure", "sentence": "The delivery failed for good."}
        back = {"sentence": "A bounce goes back to the sender.", "raw": far}
        return Told(journey, (("send", StationState.FAILED, failed), ("inbox", StationState.WORKING, back)))
    later = send | {"summary": "deferral", "sentence": "It stays in the queue and is tried again later."}
    return Told(
        replace(journey, delivered_to="deferred"),
        (("send", StationState.FAILED, later), ("inbox", StationState.WAITING, {"summary": "later", "raw": far})),
        is_over=True,
    )


def _bounced(event: SendEvent, journey: Journey, far: tuple[RawBlock, ...]) -> Change:
    """The sender has the bounce."""
    where = f"with the host of {event.recipient}" if event.channel == "remote" else f"in the Inbox of {event.recipient}"
    sentence = f"{journey.recipient} cannot get it; the bounce is {where}."
    facts = (("file", str(event.path) if event.path else ""),)
    changes = {"summary": "bounced", "sentence": sentence, "facts": facts, "raw": (*_mail(event), *far)}
    return "inbox", StationState.DONE, changes


def _sent_away(event: SendEvent, journey: Journey, send: dict[str, Any], far: tuple[RawBlock, ...]) -> Told:
    """Another host has the mail."""
    domain = event.recipient.rpartition("@")[2]
    inbox = {
        "summary": domain,
        "sentence": f"It is with the host of {domain} now; what becomes of it there is that host's business.",
        "raw": far,
    }
    return Told(
        replace(journey, delivered_to=f"host of {domain}"),
        (
            (
                "send",
                StationState.DONE,
                send | {"summary": "accepted", "sentence": "qmail-rspawn gave it to that host."},
            ),
            ("inbox", StationState.DONE, inbox),
        ),
    )


def _not_stored(event: SendEvent, journey: Journey, send: dict[str, Any]) -> Told:
    """A filter forwarded the mail or threw it away: the delivery is a success, and no mailbox has it."""
    forward_to = event.rule.forward_to.lstrip("&") if event.rule is not None else ""
    what = f"A filter forwarded it to {forward_to}" if forward_to else "A filter threw it away (/NoDeliver)"
    inbox = {
        "summary": "forwarded" if forward_to else "gone",
        "sentence": f"{what}; no folder of {event.recipient} has it.",
    }
    return Told(
        replace(journey, delivered_to=f"forwarded to {forward_to}" if forward_to else "nowhere"),
        (
            ("send", StationState.DONE, send | {"sentence": "qmail-lspawn did as a filter says."}),
            ("inbox", StationState.SKIPPED, inbox),
        ),
    )


def _stored(event: SendEvent, journey: Journey, sent: bytes, send: dict[str, Any]) -> Told:
    """The mail is in a folder."""
    folder = event.folder or "Inbox"
    inbox = {
        "summary": folder,
        "sentence": f"It is in the folder {folder} of {event.recipient}.",
        "facts": (("file", str(event.path)),),
        "raw": _mail(event),
    }
    return Told(
        replace(journey, folder=folder, delivered_to=f"{event.recipient} {folder}", arrival=_arrival(event, sent)),
        (
            ("send", StationState.DONE, send | {"sentence": "qmail-lspawn delivered it."}),
            ("inbox", StationState.DONE, inbox),
        ),
    )


def _mail(event: SendEvent) -> tuple[RawBlock, ...]:
    """Return the file as it lies in the mailbox."""
    if event.path is None:
        return ()
    try:
        octets = event.path.read_bytes()
    except OSError as error:
        return (RawBlock("the mail", f"not readable: {error.strerror}"),)
    return (RawBlock("the mail as delivered", as_text(octets), path=str(event.path), command=f"cat {event.path}"),)


def _arrival(event: SendEvent, sent: bytes) -> Arrival | None:
    """Return the mail before and after; None when the file cannot be read."""
    try:
        stored = event.path.read_bytes() if event.path is not None else b""
    except OSError:
        return None
    return Arrival.of(
        sent, stored, path=str(event.path or ""), folder=event.folder, recipient=event.recipient, rule=event.rule
    )
