"""Lesson 02, an exercise about signatures: find these two mails and not that one.

Source: ClamAV manual, "Body-based Signature Content Format".
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Final

from indimail_kit.course.answers import as_text, kind_of
from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import first_mistake, text_of
from indimail_kit.course.words import NAMES
from indimail_kit.errors import FormatError
from indimail_kit.qhpsi.signature_builder import BodySignature, body_signature
from indimail_kit.qhpsi.signature_lines import parse_signature
from indimail_kit.qhpsi.signatures import MARKER_MINIMUM

BAD: Final = ("first", "second")
GOOD: Final = "innocent"

_MAIL: Final = """\
Dear {name}, your parcel {number} has arrived.
{wish}
Keep this message; it is your receipt for the parcel.
"""

_WISHES: Final = (
    "To get it, open label-{tag}.scr and allow macros",
    "To get it, run parcel-{tag}.exe before midnight",
    "To get it, type your password at parcel-{tag}.example.net",
)
"""What only the two bad mails say."""

_FAIR: Final = "To get it, come to the post office in your street"

MISTAKES: Final = {
    "hash": "This is a hash. It finds one file, to the octet, and the second mail has another name in it.",
    "text": "A signature's last field is hexadecimal: each octet as two digits. text.encode().hex() makes them.",
    "fields": "A body signature has four fields, parted by colons: name, target, offset, octets in hexadecimal.",
    "short": f"It has less than {MARKER_MINIMUM} octets. So short a text stands in innocent mail by chance, and in"
    " Base64 as well.",
    "wildcard": "It has wildcards, and clamd would take them. Plain octets are enough here: choose a text that both"
    " mails have.",
    "target": "This target is another kind of file. 0 is any file, and 4 a mail.",
    "offset": "The octets do not begin at this offset in both mails. * means anywhere.",
    "false alarm": "It finds the innocent mail as well: a false alarm. Choose what only the two others have.",
    "one": "It finds one of the two mails only. The name and the number change from mail to mail.",
    "none": "It finds none of the three. Compare your octets with the mails, capital letters and blanks included.",
}
"""Mistake -> its sentence."""

_ANY_OR_MAIL: Final = (0, 4)


def _draw_mails(rng: random.Random) -> Drawn:
    names, numbers = rng.sample(NAMES, 3), rng.sample(range(1_000, 10_000), 3)
    wish = rng.choice(_WISHES).format(tag=f"{rng.choice(NAMES)}-{rng.randrange(10, 100)}")
    mails = {
        label: _MAIL.format(name=name.title(), number=number, wish=wish if label in BAD else _FAIR)
        for label, name, number in zip((*BAD, GOOD), names, numbers, strict=True)
    }
    right = body_signature("Lesson.Parcel", wish.encode()).line
    first = mails[BAD[0]]
    digest = hashlib.md5(first.encode(), usedforsecurity=False).hexdigest()
    wrong = {
        f"{digest}:{len(first)}:Lesson.Parcel": "hash",
        f"Lesson.Parcel:0:*:{wish}": "text",
        wish.encode().hex(): "fields",
        wish: "fields",
        f"Lesson.Parcel:0:{wish.encode().hex()}": "fields",
        f"Lesson.Parcel:0:*:{wish[-9:].encode().hex()}": "short",
        f"Lesson.Parcel:0:*:{wish[:12].encode().hex()}{{2-30}}{wish[-12:].encode().hex()}": "wildcard",
        f"Lesson.Parcel:1:*:{wish.encode().hex()}": "target",
        f"Lesson.Parcel:0:0:{wish.encode().hex()}": "offset",
        f"Lesson.Parcel:0:*:{_MAIL.splitlines()[2].encode().hex()}": "false alarm",
        f"Lesson.Parcel:0:*:{first.splitlines()[0].encode().hex()}": "one",
        f"Lesson.Parcel:0:*:{wish.upper().encode().hex()}": "none",
    }
    return Drawn(given=mails, right=right, traps={line: MISTAKES[mistake] for line, mistake in wrong.items()})


def _judge_signature(drawn: Drawn, answer: object) -> str | None:
    text = as_text(answer)
    if text is None:
        return f"A text is wanted here, one line of a .ndb file; this is {kind_of(answer)}, or it is far too long."
    fields = text.strip().split(":")
    if len(fields) == 3 and len(fields[0]) in (32, 40, 64):
        return MISTAKES["hash"]
    if len(fields) < 4:
        return MISTAKES["fields"]
    try:
        signature = parse_signature(text.strip(), "ndb")
    except FormatError as error:
        is_text = not set(fields[3]) <= set("0123456789abcdefABCDEF?*{}()|-!")
        return MISTAKES["text"] if is_text else f"clamd refuses this line: it wants {error.expected}."
    if not isinstance(signature, BodySignature):  # pragma: no cover - the reader of .ndb makes no other
        return MISTAKES["fields"]
    return MISTAKES.get(_mistake_in(signature, drawn.given))


def _mistake_in(signature: BodySignature, given: Mapping[str, object]) -> str:
    """Try the three mails; return the first mistake, "" for none."""
    octets = b"".join(part.fixed for part in signature.parts)
    anywhere = {label: octets in text_of(given, label).encode() for label in (*BAD, GOOD)}
    found = [_is_found(signature.offset, octets, text_of(given, label).encode()) for label in BAD]
    bad_count = sum(anywhere[label] for label in BAD)
    return first_mistake(
        (
            ("wildcard", any(part.kind != "octets" for part in signature.parts)),
            ("short", signature.evidence < MARKER_MINIMUM),
            ("target", signature.target not in _ANY_OR_MAIL),
            ("none", not any(anywhere.values())),
            ("false alarm", anywhere[GOOD]),
            ("one", bad_count == 1),
            ("offset", not all(found)),
        )
    )


def _is_found(offset: str, octets: bytes, mail: bytes) -> bool:
    """Say whether the octets stand in a mail, from an offset; one that is more than a number finds nothing here."""
    return octets in mail if offset == "*" else offset.isdigit() and mail.find(octets, int(offset)) == int(offset)


def _solve_signature(given: Mapping[str, object]) -> str:
    first, second, innocent = (set(text_of(given, label).splitlines()) for label in (*BAD, GOOD))
    return body_signature("Lesson.Parcel", max(first & second - innocent, key=len).encode()).line


SIGNATURE: Final = Exercise(
    number="02.10",
    grade=Grade.FIND_OUT,
    title="a signature of your own",
    goal="Write one body signature, a line of a .ndb file, that finds the first and the second mail and not the"
    " innocent one.",
    reason="Right: it finds what both have in common, and nothing that innocent mail has. And the third variant,"
    " tomorrow, has another wish: then it is CLEAN.",
    way="NAME:0:*:HEX, with the line that both mails have and the innocent one has not, as octets in hexadecimal:"
    " qhpsi.body_signature(NAME, octets).line.",
    hints=(
        "Which line do both have, letter for letter, and the innocent one not?",
        (
            f"A line of a .ndb file is NAME:TARGET:OFFSET:HEX; 0 is any file, * anywhere. At least {MARKER_MINIMUM}"
            " octets."
        ),
        'f"Lesson.Mine:0:*:{text.encode().hex()}", with the text that the two have in common.',
    ),
    draw=_draw_mails,
    solve=_solve_signature,
    judge=_judge_signature,
)
