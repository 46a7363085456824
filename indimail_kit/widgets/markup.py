"""A journey as sentences and as HTML: pure, without Jupyter, so that a notebook read without a kernel tells it, too.

Rule 1: every element comes through the door in `indimail_kit.widgets.html`.
Rule 2: what a station says is shown as it says it; this module chooses order and signs, never the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from indimail_kit.lab.journey import (
    STATION_KEYS,
    STATION_QUESTIONS,
    STATION_TITLES,
    Journey,
    RawBlock,
    Station,
    StationState,
)
from indimail_kit.qhpsi.signatures import eicar
from indimail_kit.visible import visible
from indimail_kit.widgets.html import EMPTY, Html, block, join, shortened, style_element, tag
from indimail_kit.widgets.signs import NUMBERS, STATES, VERDICTS, Sign, sign_of_words, verdict_sign

MAX_BLOCK_CHARACTERS: Final = 20_000
"""Longest raw text shown in one block (unit: characters); the path says where the rest is."""

LONG_FACT_CHARACTERS: Final = 34
"""Longest value that shares a row with another (unit: characters)."""

WAITING: Final = tuple(Station(key) for key in STATION_KEYS)
"""The stations before a mail is sent."""

MAX_ROWS: Final = 30
"""Most messages in the table, the newest; `journeys_frame` has all."""

COLUMNS: Final = (
    ("#", "ik-c-count"),
    ("time (UTC)", "ik-c-time"),
    ("from → to", "ik-c-route"),
    ("mechanism", "ik-c-mechanism"),
    ("verdict", "ik-c-verdict"),
    ("reply", "ik-c-reply"),
    ("queue", "ik-c-queue"),
    ("number", "ik-c-number"),
    ("folder", "ik-c-folder"),
)
"""Heading and class of each column of the table of messages."""


def elapsed_text(elapsed_ms: float) -> str:
    """Return a time since the click with its unit; "" for none."""
    if elapsed_ms <= 0:
        return ""
    return f"{elapsed_ms:.1f} ms" if elapsed_ms < 10 else f"{elapsed_ms:,.0f} ms"


def outcome_text(journey: Journey) -> str:
    """Return where the mail is now, as a sentence."""
    address, _, folder = journey.delivered_to.rpartition(" ")
    if journey.folder and folder == journey.folder:
        return f"It is in the folder {folder} of {address}."
    if journey.delivered_to.startswith("bounce"):
        return f"It came back: a {journey.delivered_to}."
    if journey.message_number:
        return f"It waits in {journey.queue} as {journey.message_number}."
    if journey.smtp_reply.startswith("2"):
        return "It was accepted and thrown away: nothing is in the queue."
    return "Nothing was queued."


def sentence(journey: Journey) -> str:
    """Return the journey as a few sentences: verdict, reply, where the mail is, how long it took."""
    found = f" ({journey.signature})" if journey.signature else ""
    return visible(
        f"{verdict_sign(journey.verdict)}{found} — the server answered “{journey.smtp_reply}”. {outcome_text(journey)} "
        f"All in {elapsed_text(journey.elapsed_ms) or 'no time'}."
    )


def tone(journey: Journey) -> str:
    """Return the class of the sentence: ik-good for a clean mail that arrived, ik-bad for a virus or a refusal."""
    if journey.verdict == "CLEAN" and journey.folder:
        return "ik-good"
    return "ik-bad" if journey.verdict in {"INFECTED", "ERROR"} or not journey.message_number else "ik-quiet"


def station_sign(station: Station) -> Sign:
    """Return the sign of a station: its verdict's where it says one, else its state's."""
    return sign_of_words(station.summary) or STATES[station.state]


def rail_row(station: Station) -> dict[str, str]:
    """Return what the rail draws of a station, as texts only."""
    index = STATION_KEYS.index(station.key)
    sign, state = station_sign(station), STATES[station.state]
    said = f"{state.word}, {sign.word if sign is not state else station.summary}".rstrip(", ")
    has_been_there = station.state not in (StationState.WAITING, StationState.SKIPPED)
    elapsed = elapsed_text(station.elapsed_ms) if has_been_there else ""
    row = {
        "key": station.key,
        "number": NUMBERS[index],
        "title": STATION_TITLES[station.key],
        "question": STATION_QUESTIONS[station.key],
        "mark": sign.mark,
        "state": state.cls,
        "verdict": sign.cls if sign is not state else "",
        "summary": sign.word if sign is not state else station.summary,
        "time": elapsed,
        "label": f"Station {index + 1} of 7, {STATION_TITLES[station.key]}, {STATION_QUESTIONS[station.key]} {said}"
        + (f", after {elapsed}" if elapsed else ""),
    }
    return {name: visible(value) for name, value in row.items()}


def rail_rows(stations: Sequence[Station]) -> list[dict[str, str]]:
    """Return the rows of the whole rail."""
    return [rail_row(station) for station in stations]


def rail_html(stations: Sequence[Station]) -> Html:
    """Return the rail as a list that needs no kernel."""
    return tag("ol", *(_stop(rail_row(station)) for station in stations), cls="ik-stations")


def _stop(row: dict[str, str]) -> Html:
    head = tag(
        "span",
        tag("span", row["number"], cls="ik-number"),
        tag("span", row["title"], cls="ik-title"),
        tag("span", row["mark"], cls="ik-mark"),
        cls="ik-head",
    )
    rest = (tag("span", row[name], cls=f"ik-{name}") for name in ("question", "summary", "time"))
    classes = f"ik-station {row['state']} {row['verdict']}".strip()
    return tag("li", tag("div", head, *rest, cls=classes, role="group", aria_label=row["label"]), cls="ik-stop")


def facts_html(facts: Iterable[tuple[str, str]]) -> Html:
    """Return label and value pairs as a list of definitions."""
    rows = [
        tag(
            "div",
            tag("dt", label),
            tag("dd", shortened(value, limit=96)),
            cls="ik-fact ik-long" if len(value) > LONG_FACT_CHARACTERS else "ik-fact",
        )
        for label, value in facts
    ]
    return tag("dl", *rows, cls="ik-facts") if rows else EMPTY


def raw_html(raw: RawBlock, *, is_open: bool = False, has_buttons: bool = False) -> Html:
    """Return raw material: title, place, text, and the command that shows the same."""
    title = tag("span", raw.title, cls="ik-raw-title")
    octet = f", from octet {raw.offset:,}" if raw.offset else ""
    place = tag("span", shortened(raw.path, limit=72), octet, cls="ik-place") if raw.path else EMPTY
    shown = raw.text[:MAX_BLOCK_CHARACTERS]
    rest = len(raw.text) - len(shown)
    more = tag("p", f"… and {rest:,} more characters", cls="ik-more") if rest else EMPTY
    pre = tag("pre", without_whole_eicar(shown), cls="ik-pre", tabindex="0", aria_label=raw.title)
    pre = pre if shown else tag("p", "Nothing: it is empty.", cls="ik-more")
    body = (tag("summary", title, place), pre, more, command_html(raw.command, has_buttons=has_buttons))
    return tag("details", *body, cls="ik-raw", open="") if is_open else tag("details", *body, cls="ik-raw")


def without_whole_eicar(text: str, shown: Callable[[str], Html] = block) -> Html:
    """Return raw text with the test virus in two elements: seen whole, but not whole in a notebook that is saved.

    Args:
        text: Any text.
        shown: Makes markup of what is around the virus.
    """
    virus = eicar().decode("ascii")
    half = len(virus) // 2
    halves = join(tag("span", part) for part in (virus[:half], virus[half:]))
    parts = [part for between in text.split(virus) for part in (halves, shown(between))]
    return join(parts[1:])


def command_html(command: str, *, has_buttons: bool = False) -> Html:
    """Return the command that shows the same in a terminal; nothing for none."""
    if not command:
        return EMPTY
    button = tag("button", "copy", cls="ik-copy", type="button", title="Copy the command") if has_buttons else EMPTY
    return tag("div", tag("span", "in a terminal", cls="ik-caption"), tag("code", command), button, cls="ik-command")


def panel_html(station: Station, *, has_buttons: bool = False) -> Html:
    """Return an opened station: question, sentence, facts, raw material."""
    row = rail_row(station)
    asked = f"{row['number']} {row['title']} — {row['question']}"
    value = tag("span", f"{row['summary']} {row['mark']}", cls="ik-value")
    # Not a heading element: JupyterLab gives those an id made of their text, and text may come from a mail.
    title = tag("p", tag("span", asked), value, cls="ik-heading", role="heading", aria_level="4")
    said = tag("p", station.sentence or "The mail has not been here.", cls="ik-sentence")
    raws = [raw_html(raw, is_open=index == 0, has_buttons=has_buttons) for index, raw in enumerate(station.raw)]
    return tag(
        "section", title, said, facts_html(station.facts), *raws, cls="ik-panel", role="region", aria_label=row["label"]
    )


def verdict_html(verdict: str) -> Html:
    """Return a verdict as word and mark in its outline."""
    sign = verdict_sign(verdict)
    return tag("span", str(sign), cls=f"ik-chip {sign.cls}")


def time_html(unix_ns: int) -> Html:
    """Return a time of day in UTC; the date and the local time are the title."""
    moment = datetime.fromtimestamp(unix_ns // 10**9, tz=UTC)
    local = moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    iso = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return tag("time", moment.strftime("%H:%M:%S"), datetime=iso, title=f"{iso}, here {local}")


def _cells(count: int, journey: Journey, *, has_buttons: bool) -> tuple[Html | str, ...]:
    label = f"Show message {count} on the rail"
    number = tag("button", str(count), cls="ik-show", type="button", aria_label=label) if has_buttons else str(count)
    route = join((shortened(journey.sender, limit=30), shortened(journey.recipient, limit=30)), separator=" → ")
    return (
        number,
        time_html(journey.unix_ns),
        route,
        journey.mechanism or "none",
        verdict_html(journey.verdict),
        shortened(journey.smtp_reply, limit=44),
        journey.queue or "–",
        str(journey.message_number) if journey.message_number else "–",
        journey.folder or "–",
    )


def journeys_html(journeys: Sequence[Journey], *, has_buttons: bool = False) -> Html:
    """Return the table of the newest messages, oldest first; with none, a sentence that says what would fill it."""
    if not journeys:
        return tag("p", "No message so far. Send fills this table, one row a mail.", cls="ik-empty")
    return newest_html(
        journeys, COLUMNS, lambda count, one: _cells(count, one, has_buttons=has_buttons), caption="Messages so far"
    )


def newest_html(
    journeys: Sequence[Journey],
    columns: Sequence[tuple[str, str]],
    cells_of: Callable[[int, Journey], Sequence[Html | str]],
    *,
    caption: str,
) -> Html:
    """Return a table of the newest journeys, oldest first, one row each.

    Args:
        journeys: All of them.
        columns: Heading and class of each column.
        cells_of: Number of a journey, from 1, and the journey -> its cells.
        caption: What the table is.
    """
    rows = [
        tag("tr", *(tag("td", cell, cls=cls) for cell, (_, cls) in zip(cells_of(count, one), columns, strict=True)))
        for count, one in list(enumerate(journeys, 1))[-MAX_ROWS:]
    ]
    head = tag("tr", *(tag("th", name, cls=cls, scope="col") for name, cls in columns))
    newest = f", the newest {MAX_ROWS} of {len(journeys):,}" if len(journeys) > MAX_ROWS else ""
    body = (tag("caption", f"{caption}{newest}"), tag("thead", head), tag("tbody", *rows))
    return tag("table", *body, cls="ik-table")


def legend_html() -> Html:
    """Return the folded legend of all signs."""
    rows = [
        tag("li", tag("span", str(sign), cls=f"ik-chip {sign.cls}"), f" {sign.meaning}")
        for sign in (*VERDICTS.values(), *STATES.values())
    ]
    return tag("details", tag("summary", "What the signs mean"), tag("ul", *rows, cls="ik-signs"), cls="ik-legend")


def station_html(station: Station) -> Html:
    """Return one station as HTML that stands alone."""
    return join([style_element(), tag("article", panel_html(station), cls="ik-journey ik-static")])


def _stage(row: dict[str, str]) -> Html:
    title = tag("span", f"{row['number']} {row['title']}", cls="ik-raw-title")
    return tag("summary", title, f" {row['question']} ", tag("span", f"{row['summary']} {row['mark']}", cls="ik-value"))


def journey_html(journey: Journey) -> Html:
    """Return one journey as HTML that stands alone: sentence, rail, and every station to unfold."""
    stations = [
        tag("details", _stage(rail_row(one)), panel_html(one), cls="ik-raw ik-stage")
        for one in journey.stations
        if one.state is not StationState.WAITING
    ]
    status = tag("p", sentence(journey), cls=f"ik-status {tone(journey)}")
    body = (tag("div", rail_html(journey.stations), status, cls="ik-rail"), *stations)
    return join([style_element(), tag("article", *body, cls="ik-journey ik-static", aria_label="One mail's journey")])


def view_html(journeys: Sequence[Journey], *, header: Html = EMPTY) -> Html:
    """Return what a JourneyView shows, without a kernel: header, the last journey's rail, and the table."""
    last = journeys[-1] if journeys else None
    rail = rail_html(last.stations if last else WAITING)
    status = tag("p", sentence(last), cls=f"ik-status {tone(last)}") if last else EMPTY
    body = (header, tag("div", rail, status, cls="ik-rail"), journeys_html(journeys), legend_html())
    return join([style_element(), tag("article", *body, cls="ik-journey ik-static", aria_label="Mail journeys")])
