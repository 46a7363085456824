"""A mail before and after its way: which lines were added, by whom and why, and which rule chose the folder. Pure.

Source: IndiMail qmail-local.c, qmail-queue.c, qmail-smtpd.c and received.c, vfilter.c; recorded deliveries.

Rule 1: who added a line is told by the line's own form; what has no known form is said to be unknown, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Final

from indimail_kit.delivery.vfilter import COMPARISION_NAMES, FilterRule, VcfilterCommand, format_command
from indimail_kit.lab.journey import Arrival, Journey, RawBlock
from indimail_kit.lab.shown import as_text
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import Html, tag
from indimail_kit.widgets.markup import facts_html, raw_html

TITLE: Final = "What was sent, what arrived"
"""Name of the view."""

HIDDEN: Final = tag("p", "The mail itself is not kept in a saved notebook.", cls="ik-hint")


@dataclass(frozen=True, slots=True)
class AddedField:
    """One header field that the way added.

    Attributes:
        text: Its lines, without the last line end.
        who: The program.
        why: What it is for.
        source: Where that is written.
    """

    text: str
    who: str
    why: str
    source: str


_ADDED: Final = (
    (
        re.compile(r"Return-Path:"),
        "qmail-local",
        "the envelope sender, written down at the final delivery; a bounce goes there",
        "qmail-local.c; RFC 5321 section 4.4",
    ),
    (
        re.compile(r"Delivered-To:"),
        "qmail-local",
        "whose mailbox this is; a mail that comes again with this line loops",
        "qmail-local.c bouncexf()",
    ),
    (
        re.compile(r"X-QHPSI:"),
        "qmail-queue",
        "what the scanner said; it waited in the e record of todo, not in the mess file",
        "qmail-queue.c qhpsiprog()",
    ),
    (
        re.compile(r"X-Quarantine-ID:"),
        "qmail-queue",
        "who gets the mail now, and then who should have got it",
        "qmail-queue.c main()",
    ),
    (
        re.compile(r"Received: indimail-mta queue \d+"),
        "qmail-queue",
        "the first lines of the mess file: which qmail-queue took it, and when",
        "qmail-queue.c received_setup()",
    ),
    (
        re.compile(r"X-Originating-IP:"),
        "qmail-queue",
        "ORIGINIPFIELD is set: the client's address",
        "qmail-queue.c received_setup()",
    ),
    (
        re.compile(r"Received: indimail-mta smtpd"),
        "qmail-smtpd",
        "who sent it: name, login and address of the client, and the protocol",
        "received.c",
    ),
)
"""Form of an added field -> who adds it, why, and where that is written."""

_UNKNOWN: Final = ("unknown", "a field of no form that is known here", "")


def _fields(text: str) -> Iterator[str]:
    """Yield header fields, a continuation line with the line that it continues."""
    pending: list[str] = []
    for line in text.split("\n"):
        if pending and not line.startswith((" ", "\t")):
            yield "\n".join(pending)
            pending = []
        if line:
            pending.append(line)
    if pending:
        yield "\n".join(pending)


def _added(text: str, own_header: frozenset[str]) -> AddedField:
    if text in own_header:
        return AddedField(text, "qmail-queue", "QQEH: a header line of the environment's own", "qmail-queue.c main()")
    found = next((row[1:] for row in _ADDED if row[0].match(text)), _UNKNOWN)
    return AddedField(text, *found)


def added_fields(arrival: Arrival, variables: Mapping[str, str] | None = None) -> tuple[AddedField, ...]:
    """Return the header fields that stand in the mailbox before the mail as it was sent.

    Args:
        arrival: The mail before and after.
        variables: Variables of qmail-queue; QQEH's lines are known by them.
    """
    text = arrival.stored[: arrival.added_bytes].decode("utf-8", "backslashreplace")
    own_header = frozenset(_fields((variables or {}).get("QQEH", "")))
    return tuple(_added(field, own_header) for field in _fields(text))


def rule_sentence(rule: FilterRule | None) -> str:
    """Return in words why a mail lies in its folder."""
    if rule is None:
        return "No filter matched: it lies in the Inbox."
    compared = f'{rule.header} {COMPARISION_NAMES[rule.comparision]} "{rule.keyword}"' if rule.header else "its rule"
    return f'Filter "{rule.filter_name}" of {rule.emailid} matched: {compared}, so it lies in {rule.destination}.'


def rule_command(rule: FilterRule | None) -> str:
    """Return the vcfilter command that makes the rule, "" for none."""
    return "" if rule is None else format_command(VcfilterCommand(action="add", emailid=rule.emailid, rule=rule))


def commands(arrival: Arrival) -> tuple[tuple[str, str], ...]:
    """Return what shows the same in a terminal: caption and command."""
    made = rule_command(arrival.rule)
    return (("the file", f"cat {quote(arrival.path)}"), *((("the filter", made),) if made else ()))


def why_not(journey: Journey) -> str:
    """Return why a mail is in no mailbox."""
    if journey.delivered_to.startswith("bounce"):
        return f"It is in no mailbox: a {journey.delivered_to} was sent instead."
    if journey.smtp_reply.startswith("2") and not journey.message_number:
        return "It is in no mailbox: the client heard 250, and the mail was thrown away."
    if journey.message_number:
        return f"It is in no mailbox yet: it waits in {journey.queue} as {journey.message_number}."
    return f"It is in no mailbox: the server answered “{journey.smtp_reply}”."


def places(arrival: Arrival) -> tuple[tuple[str, str], ...]:
    """Return what is told of an arrival besides its lines: label and value."""
    same = "every octet as it was sent, CR LF made LF" if arrival.is_unchanged else "not what was sent"
    return (
        ("mailbox", arrival.recipient),
        ("folder", arrival.folder),
        ("why there", rule_sentence(arrival.rule)),
        ("file", arrival.path),
        ("sent", f"{arrival.sent_bytes:,} octets"),
        ("stored", f"{arrival.stored_bytes:,} octets, {arrival.added_bytes:,} of them added"),
        ("the mail itself", same),
    )


def delivered_html(journey: Journey, *, shows_mail: bool = False) -> Html:
    """Return a mail before and after as HTML that stands alone.

    Args:
        journey: The mail's journey.
        shows_mail: Show the mail itself, too. What is shown is saved with a notebook.
    """
    arrival = journey.arrival
    if arrival is None:
        return standalone(heading_html(TITLE), tag("p", why_not(journey), cls="ik-status ik-quiet"), label=TITLE)
    rows = [
        tag(
            "li",
            tag("div", tag("span", one.who, cls="ik-by"), tag("code", one.text, cls="ik-said"), cls="ik-added"),
            tag("p", one.why, tag("span", one.source, cls="ik-place"), cls="ik-because"),
        )
        for one in added_fields(arrival, dict(journey.variables))
    ]
    added = tag("ol", *rows, cls="ik-added-list")
    mail = raw_html(RawBlock("the mail as it was sent", as_text(arrival.sent)), is_open=True) if shows_mail else HIDDEN
    shown = [
        tag("div", tag("span", caption, cls="ik-caption"), tag("code", command), cls="ik-command")
        for caption, command in commands(arrival)
    ]
    return standalone(heading_html(TITLE), facts_html(places(arrival)), *shown, added, mail, label=TITLE)
