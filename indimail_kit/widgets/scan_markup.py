"""What came of a scanned mail, as HTML: reply, header, log line, the scanner's own answer, and the list of scans. Pure.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
Rule 2: nothing here holds text of the mail: what is shown may be saved with a notebook.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from indimail_kit.lab.follow import LOG_TITLE
from indimail_kit.lab.journey import Journey, RawBlock
from indimail_kit.mailqueue.enqueue import QueueSettings, quarantine_address
from indimail_kit.qhpsi.decision_tree import Step
from indimail_kit.visible import visible
from indimail_kit.widgets.auth_markup import heading_html, standalone
from indimail_kit.widgets.html import EMPTY, Html, shortened, tag
from indimail_kit.widgets.ladder import path_of_journey
from indimail_kit.widgets.markup import elapsed_text, newest_html, raw_html, time_html, verdict_html
from indimail_kit.widgets.policy import ending_of
from indimail_kit.widgets.policy_markup import ending_html, variables_block, way_html
from indimail_kit.widgets.signs import ENDINGS, Sign

TITLE: Final = "Scan a mail, see each decision"
"""Name of the view."""

NOT_QUEUED: Final = Sign("not scanned", "–", "ik-none", "The server refused the mail before qmail-queue saw it.")
"""The sign of a mail that qmail-queue never had."""

SHOWN_VARIABLES: Final = (
    *("QHPSI", "QHPSIRC", "QHPSIRN", "QHPSIMINSIZE", "QHPSIMAXSIZE", "REJECTVIRUS", "VIRUSFORWARD", "QUARANTINE"),
    *("FASTQUEUE", "QQEH"),
)
"""The variables that a decision is made of."""

COLUMNS: Final = (
    ("#", "ik-c-count"),
    ("time (UTC)", "ik-c-time"),
    ("size", "ik-c-number"),
    ("scanner", "ik-c-reply"),
    ("verdict", "ik-c-verdict"),
    ("ends", "ik-c-verdict"),
    ("reply", "ik-c-reply"),
    ("scan", "ik-c-number"),
    ("in all", "ik-c-number"),
)
"""Heading and class of each column of the list of scans."""

_DATA_START: Final = re.compile(r"S: 354[^\n]*\n")


def without_mail(dialogue: str) -> str:
    r"""Return a dialogue with the mail itself left out.

    Example:
        >>> print(without_mail("C: data\nS: 354 go ahead\nC: Subject: a\nC: S: 354 b\nC: .\nS: 250 ok\nC: quit"))
        C: data
        S: 354 go ahead
        C: (the mail, 2 lines)
        S: 250 ok
        C: quit
    """
    start = _DATA_START.search(dialogue)
    if start is None:
        return dialogue
    rest = dialogue[start.end() :].split("\n")
    # Every line of the mail has the client's mark; a line of as_text() about what was cut off has it, too.
    count = next((index for index, line in enumerate(rest) if line.startswith("S: ")), len(rest))
    lines = count - (rest[:count][-1:] == ["C: ."])
    told = f"C: (the mail, {lines} line{'s' * (lines != 1)})"
    return "\n".join([dialogue[: start.end()].rstrip("\n"), told, *rest[count:]])


def sign_of(journey: Journey) -> Sign:
    """Return what became of a mail as a sign."""
    path = path_of_journey(journey)
    if not path:
        return NOT_QUEUED
    report, environ = journey.report, dict(journey.variables)
    if report is None:
        keeps = QueueSettings.from_environ(environ).quarantine
        return ENDINGS["quarantined" if keeps else "unscanned"]
    return ENDINGS[ending_of(report.action, report, environ)]


def sentence(journey: Journey) -> str:
    """Return what became of a mail in two sentences, for the live region."""
    sign = sign_of(journey)
    found = f" {journey.signature} was found." if journey.signature else ""
    return visible(f"{sign}: the server answered “{journey.smtp_reply}”.{found} {sign.meaning}")


def tone(journey: Journey) -> str:
    """Return the class of the sentence."""
    cls = sign_of(journey).cls
    return {"ik-clean": "ik-good", "ik-infected": "ik-bad", "ik-error": "ik-bad"}.get(cls, "ik-quiet")


def _answer_text(journey: Journey) -> str:
    """Return the scanner's own answer in one line."""
    answer = journey.report.answer if journey.report is not None else None
    if answer is None:
        return "nobody was asked"
    said = answer.raw.decode("utf-8", "backslashreplace").strip("\0\n ")
    code = f"exit code {answer.scanner_rc}" if answer.scanner_rc is not None else ""
    found = f"{answer.verdict.value} {answer.signature}".rstrip()
    return said or answer.reason or code or found


def _header_text(journey: Journey) -> str:
    """Return the header lines that the queue puts on top."""
    report, environ = journey.report, dict(journey.variables)
    if not journey.message_number:
        return "none: nothing is in the queue"
    lines = [report.header.decode("utf-8", "backslashreplace").strip()] if report is not None and report.header else []
    if report is not None and quarantine_address(report, QueueSettings.from_environ(environ)):
        lines.append("X-Quarantine-ID: …")
    return " · ".join(lines) or "none: a mail that nobody scanned has no X-QHPSI"


def cards(journey: Journey) -> tuple[tuple[str, str, RawBlock], ...]:
    """Return what is claimed of a mail: caption, value, and the raw material that proves it."""
    stations = {station.key: station for station in journey.stations}
    scan, todo, auth = (stations[key].raw if key in stations else () for key in ("scan", "todo", "auth"))
    variables = tuple(pair for pair in journey.variables if pair[0] in SHOWN_VARIABLES)
    said = auth[-1] if auth else RawBlock("the SMTP dialogue", "")
    spoken = RawBlock("the SMTP dialogue, secrets masked", without_mail(said.text), command=said.command)
    log = stations["rules"].raw[-1] if journey.log_lines else RawBlock(LOG_TITLE, "")
    answer = scan[0] if scan else RawBlock("the scanner's own answer", "")
    header = todo[0] if todo else variables_block(variables)
    line = journey.log_lines[-1].partition(" ")[2] if journey.log_lines else "none"
    return (
        ("SMTP reply", journey.smtp_reply or "none: the connection broke", spoken),
        ("the scanner's own answer", _answer_text(journey), answer),
        ("header on top of the mail", _header_text(journey), header),
        ("log line of qmail-smtpd", line, log),
    )


def result_html(journey: Journey, *, has_buttons: bool = False) -> Html:
    """Return what came of a mail: four cards, each open to its raw material, and the variables that applied."""
    tiles = [
        tag(
            "div",
            tag("p", caption, cls="ik-caption"),
            tag("p", value, cls="ik-claim"),
            raw_html(raw, has_buttons=has_buttons),
            cls="ik-card",
        )
        for caption, value, raw in cards(journey)
    ]
    variables = tuple(pair for pair in journey.variables if pair[0] in SHOWN_VARIABLES)
    title = tag("p", "What came of it", ending_html(sign_of(journey)), cls="ik-heading", role="heading", aria_level="4")
    body = (title, tag("div", *tiles, cls="ik-cards"), raw_html(variables_block(variables), has_buttons=has_buttons))
    return tag("section", *body, cls="ik-panel", role="region", aria_label="What came of the mail")


def _cells(count: int, journey: Journey, *, has_buttons: bool) -> tuple[Html | str, ...]:
    answer = journey.report.answer if journey.report is not None else None
    label = f"Show scan {count} again"
    number = tag("button", str(count), cls="ik-show", type="button", aria_label=label) if has_buttons else str(count)
    return (
        number,
        time_html(journey.unix_ns),
        f"{journey.message_bytes:,} B" if journey.message_bytes else "–",
        shortened(answer.scanner, limit=30) if answer is not None else "–",
        verdict_html(journey.verdict),
        ending_html(sign_of(journey)),
        shortened(journey.smtp_reply, limit=44),
        elapsed_text(answer.elapsed_ns / 1e6) if answer is not None else "–",
        elapsed_text(journey.elapsed_ms),
    )


def scans_html(journeys: Sequence[Journey], *, has_buttons: bool = False) -> Html:
    """Return the list of scans, oldest first; with none, a sentence that says what would fill it."""
    if not journeys:
        return tag("p", "No scan so far. Send fills this list, one row a mail.", cls="ik-empty")
    return newest_html(
        journeys, COLUMNS, lambda count, one: _cells(count, one, has_buttons=has_buttons), caption="Scans so far"
    )


def scan_html(journey: Journey) -> Html:
    """Return what came of one mail as HTML that stands alone: sentence, way, cards."""
    return panel_html((journey,), journey, place="")


def panel_html(journeys: Sequence[Journey], journey: Journey | None, *, place: str) -> Html:
    """Return what a ScanPanel shows, for a notebook read without a kernel."""
    shown: tuple[Html, ...] = ()
    if journey is not None:
        path: tuple[Step, ...] = path_of_journey(journey)
        status = tag("p", sentence(journey), cls=f"ik-status {tone(journey)}")
        shown = (status, way_html(path) if path else EMPTY, result_html(journey))
    return standalone(heading_html(TITLE, place), *shown, scans_html(journeys), label=TITLE)
