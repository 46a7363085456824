"""What every log line says: one table of forms that reads lines and writes them.

The table is the specification: a line is what the first form that fits says it is, and a line that no form fits is an
event of kind "unknown" with its octets. qmail-send of the lab writes its lines with `format_line`, so the two sides
cannot disagree.

Source: `send_forms`, `smtp_forms` and `clamav`, each form with its own.

Rule 1: one line, one event; nothing is dropped and nothing raises.
Rule 2: a field is what stands in the line, never a guess from other lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from types import MappingProxyType
from typing import Final

from indimail_kit.logs.clamav import CLAMAV_FORMS
from indimail_kit.logs.event import NO_FIELDS, Event
from indimail_kit.logs.fields import FIELDS
from indimail_kit.logs.labels import split_label
from indimail_kit.logs.send_forms import SEND_FORMS
from indimail_kit.logs.smtp_forms import SMTP_FORMS
from indimail_kit.logs.template import FieldValue, Form, GivenValue

FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {form.name: form for form in (*SEND_FORMS, *SMTP_FORMS, *CLAMAV_FORMS)}
)
"""Name -> form, in the order of trial."""

KINDS: Final = tuple(dict.fromkeys(form.kind for form in FORMS.values()))
"""The kinds of event that forms give; "unknown" is the one more."""

_ENUMERATED: Final = ("severity", "channel", "bounce_rank")
"""Fields that begin a line and are one of a few words."""


def _openings(form: Form) -> Iterator[bytes]:
    """Yield the octets that a line of this form may begin with, as far as they are fixed; nothing if they are not."""
    alternatives: list[tuple[bytes, ...]] = []
    for piece in form.parts[0].pieces if not form.parts[0].is_optional else ():
        if piece.octets:
            alternatives.append((piece.octets,))
        elif piece.field_name in _ENUMERATED:
            alternatives.append(tuple(FIELDS[piece.field_name].pattern.split(b"|")))
        else:
            break
    return (b"".join(choice) for choice in product(*alternatives)) if alternatives else iter(())


def _first_words(form: Form) -> frozenset[bytes]:
    """Return the first words of the lines of this form; empty if any word may begin it."""
    openings = tuple(_openings(form))
    is_fixed = openings and all(b" " in opening or form.template.encode() == opening for opening in openings)
    return frozenset(opening.partition(b" ")[0] for opening in openings) if is_fixed else frozenset()


@cache
def _index() -> tuple[Mapping[bytes, tuple[Form, ...]], tuple[Form, ...]]:
    """Return for each first word the forms that may fit, in the order of trial; and those that may fit any line."""
    words = {form.name: _first_words(form) for form in FORMS.values()}
    by_word = {
        word: tuple(form for form in FORMS.values() if word in words[form.name] or not words[form.name])
        for word in frozenset().union(*words.values())
    }
    return by_word, tuple(form for form in FORMS.values() if not words[form.name])


@cache
def _glued() -> re.Pattern[bytes]:
    """Return what a line behind a "held" or "resumed" line looks like.

    qmail-send writes the queue's name of that one after its line end, and without a line end of its own.

    Source:
        qmail-send.c regetcontrols(), a real bug; recorded in `logs/send-odd-lines-queue1`.
    """
    words = b"|".join(sorted(frozenset().union(*(_first_words(form) for form in SEND_FORMS))))
    return re.compile(rb" (%s)((?:%s) .*)" % (FIELDS["glued_queue"].pattern, words), re.DOTALL)


def read_text(text: bytes) -> tuple[Form | None, Mapping[str, FieldValue]]:
    """Return the form and the fields of a line without its stamp; (None, {}) if no form fits."""
    by_word, others = _index()
    for form in by_word.get(text.partition(b" ")[0], others):
        fields = form.parse(text)
        if fields is not None:
            return form, fields
    if text[:1] == b" ":
        return _read_glued(text)
    return None, NO_FIELDS


def _read_glued(text: bytes) -> tuple[Form | None, Mapping[str, FieldValue]]:
    glued = _glued().fullmatch(text)
    form, fields = read_text(glued[2]) if glued else (None, NO_FIELDS)
    return form, {**fields, "glued_queue": glued[1]} if form and glued else NO_FIELDS


def parse_line(line: bytes, *, utc_offset_s: int = 0) -> Event:
    """Read one physical line, with or without a stamp and an end.

    Args:
        line: The octets of the line.
        utc_offset_s: Local time minus UTC for stamps that name no zone (unit: s).

    Example:
        >>> event = parse_line(b"@400000004b9da2f106a1e234 delivery 6: success: did_1+0+0/")
        >>> event.kind, event.delivery_number, event.outcome, event.report
        ('delivery', 6, 'success', b'did_1+0+0/')
    """
    is_whole = line.endswith(b"\n")
    octets = line[:-1] if is_whole else line
    label = split_label(octets, utc_offset_s=utc_offset_s)
    form, fields = read_text(octets[label.end :])
    return Event(
        line=octets,
        text_start=label.end,
        form=form,
        fields=fields,
        label_kind=label.kind,
        unix_ns=label.unix_ns,
        line_bytes=len(octets),
        is_whole=is_whole,
    )


def format_line(form_name: str, **fields: GivenValue) -> bytes:
    """Write a line letter for letter as the real program does, without stamp and without its end.

    Addresses and reports are cleaned as the program cleans them (see `fields.logsafe`); an optional part is written
    when all of its fields are given; None and False mean "not given".

    Raises:
        KeyError: There is no such form.
        TypeError: A field is missing, unknown, or has a value of the wrong type.
        ValueError: A value cannot stand in its field.

    Example:
        >>> format_line("starting_delivery", delivery_number=1, queue_number=3, message_number=1737243,
        ...             channel="local", recipient="alice@local.test", queue="queue3")
        b'starting delivery 1.3: msg 1737243 to local alice@local.test queue3'
    """
    return FORMS[form_name].format(fields)


def format_event(event: Event) -> bytes:
    """Write the text of an event again from its form and fields; an unknown line's text as it was."""
    if event.form is None:
        return event.text
    fields = dict(event.fields)
    glued = fields.pop("glued_queue", None)
    line = event.form.format(fields, is_clean=True)
    return b" %s%s" % (glued, line) if isinstance(glued, bytes) else line
