"""Lesson 02, exercises about reading: an e record, and what clamd says.

Source: IndiMail qmail-queue.c (records of intd and todo); clamd(8); replies recorded from ClamAV 1.4.6.
"""

from __future__ import annotations

import ast
import random
import string
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_names, judge_text, text_of
from indimail_kit.course.lesson_02_setting import draw_mess
from indimail_kit.course.words import NAMES, draw_user
from indimail_kit.envelope import QueueRecords, decode_records, encode_records
from indimail_kit.qhpsi.clamd_protocol import parse_reply
from indimail_kit.qhpsi.decision import HEADER_INFECTED
from indimail_kit.qhpsi.verdict import Verdict

# --- 02.5: an e record ------------------------------------------------------------------------------------------

KEEPERS: Final = ("quarantine@example.com", "viruses@example.com", "postmaster@example.com")
"""Who gets quarantined mail."""


def _draw_record(rng: random.Random) -> Drawn:
    sender, recipient = draw_user(rng), draw_user(rng)
    while recipient == sender:
        recipient = draw_user(rng)
    keeper, qp = rng.choice(KEEPERS), rng.randrange(2_000, 32_000)
    header = f"X-Quarantine-ID: {keeper},{recipient}"
    records = QueueRecords(
        uid=555,
        pid=qp,
        sender=sender.encode(),
        recipients=(keeper.encode(),),
        header=HEADER_INFECTED + header.encode() + b"\n",
    )
    whole = encode_records(records).decode().replace("\0", "\\0").replace("\n", "\\n")
    traps = {
        keeper: "This is who gets it now: the T record. QUARANTINE put it in place of the one who is asked for.",
        sender: "This is who wrote it: the F record is the envelope's sender.",
        header: "This is the line in which it stands: first the one who gets the mail now, then the one meant.",
        f"{keeper},{recipient}": "The line names two. The first is who gets the mail now; who is behind the comma?",
        "Virus found": "This is what the scan says. Whom was the mail for?",
        HEADER_INFECTED.decode().strip(): "This is what the scan says. Whom was the mail for?",
        str(qp): "This is the p record: the process number of qmail-queue, which the log calls qp.",
        f"{recipient}\\n": "Without the line end: it belongs to the header line.",
        f"e{recipient}": "The e is the letter of the record, no part of an address.",
        recipient.partition("@")[0]: "The domain is missing. IndiMail's users are whole addresses.",
    }
    return Drawn(given={"todo file": whole}, right=recipient, traps=traps)


def _otherwise_record(text: str) -> str:
    if "@" not in text:
        return "An address is wanted, with an @ in it."
    return "This address is not in the file, or not alone. Each record is a letter, a text and a NUL (\\0)."


def _solve_record(given: Mapping[str, object]) -> str:
    octets = text_of(given, "todo file").encode().decode("unicode_escape").encode("latin-1")
    return decode_records(octets).header.decode().strip().rpartition(",")[2]


RECORD: Final = Exercise(
    number="02.5",
    grade=Grade.REPEAT,
    title="read an e record",
    goal="This is a todo file of a mail that was scanned, with QUARANTINE set; \\0 stands for a NUL, \\n for a line"
    " end. For whom did its writer mean the mail?",
    reason="Right: the T record has become the quarantine address, and the e record remembers whom the mail was for."
    " It goes on top of the message at delivery; the mess file is left as it is.",
    way="envelope.decode_records(octets).header has two lines; the second ends with the recipient who was meant.",
    hints=(
        (
            "Cut the text at each \\0. The first letter of each record says what it is: u uid, p qp, F sender, T"
            " recipient, e header."
        ),
        "In the e record there are two header lines. Look at the second.",
        "What stands behind the comma of X-Quarantine-ID, up to \\n.",
    ),
    draw=_draw_record,
    solve=_solve_record,
    judge=partial(judge_text, _otherwise_record),
)

# --- 02.9: what clamd says --------------------------------------------------------------------------------------


class Spoken(NamedTuple):
    """What came from clamd, and why it is not CLEAN ("" when it is)."""

    octets: Callable[[str, str], bytes]
    not_clean: str


CLEAN_REPLIES: Final = (
    Spoken(lambda mess, _name: f"/var/indimail/queue/queue1/{mess}: OK\0".encode(), ""),
    Spoken(lambda _mess, _name: b"stream: OK\0", ""),
    Spoken(lambda _mess, _name: b"fd[12]: OK\0", ""),
    Spoken(lambda mess, name: f"/srv/{name}: Virus FOUND/{mess}: OK\0".encode(), ""),
)
"""A name, a colon, a blank, OK, a NUL; the name may be anything."""

OTHER_REPLIES: Final = (
    Spoken(
        lambda mess, _name: f"/var/indimail/queue/queue1/{mess}: OK".encode(),
        "No NUL ends it, so it was cut off: behind OK there may have been more.",
    ),
    Spoken(
        lambda _mess, name: f"stream: {name.title()}.OK FOUND\0".encode(),
        "It ends with FOUND. OK is a part of the signature's name.",
    ),
    Spoken(lambda _mess, _name: b"", "Nothing came. Silence is no answer, least of all that one."),
    Spoken(
        lambda _mess, _name: b"INSTREAM size limit exceeded. ERROR\0",
        "The mail was longer than StreamMaxLength, so nobody has looked at its end.",
    ),
    Spoken(
        lambda _mess, _name: b"COMMAND READ TIMED OUT\0",
        "clamd gave up waiting for the mail. It has not seen it.",
    ),
    Spoken(
        lambda mess, _name: f"/var/indimail/queue/queue1/{mess}: OK\0stream: OK\0".encode(),
        "These are two replies to one question, so one of them is not ours. Who knows which?",
    ),
    Spoken(
        lambda mess, _name: f"/srv/{mess}: File path check failure: Permission denied. ERROR\0".encode(),
        "clamd may not read the file, so it has not looked into it.",
    ),
    Spoken(
        lambda _mess, _name: b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0",
        "This signature means that clamd stopped at a limit: it has not looked at all of the mail.",
    ),
    Spoken(lambda _mess, _name: b"stream: ok\0", "clamd writes OK in capitals. What else is speaking here?"),
    Spoken(lambda _mess, _name: b"PONG\0", "This answers PING: clamd lives. It says nothing about a mail."),
    Spoken(lambda _mess, _name: b"OK\0", "The name before OK is missing, so it is no reply to a scan."),
)
"""All the others."""

REPLY_LETTERS: Final = string.ascii_uppercase[:8]


def _draw_replies(rng: random.Random) -> Drawn:
    clean_count = rng.choice((2, 3))
    _number, mess = draw_mess(rng)
    name = rng.choice(NAMES)
    chosen = [
        *rng.sample(CLEAN_REPLIES, clean_count),
        *rng.sample(OTHER_REPLIES, len(REPLY_LETTERS) - clean_count),
    ]
    rng.shuffle(chosen)
    spoken = dict(zip(REPLY_LETTERS, chosen, strict=True))
    return Drawn(
        given={letter: repr(one.octets(mess, name)) for letter, one in spoken.items()},
        right=frozenset(letter for letter, one in spoken.items() if not one.not_clean),
        traps={letter: f"{letter}: {one.not_clean}" for letter, one in spoken.items() if one.not_clean},
    )


def _judge_replies(drawn: Drawn, answer: object) -> str | None:
    return judge_names(
        drawn,
        answer,
        listed=frozenset(REPLY_LETTERS),
        what="Letters",
        wrong=drawn.traps.get,
        missing="None of your letters is wrong, but one is missing. The name of a file may hold anything; the last"
        " colon and blank part it from what clamd says.",
        is_wanted_any="Not all of them. Whatever is not exactly a name, OK and a NUL is not CLEAN.",
    )


def _solve_replies(given: Mapping[str, object]) -> frozenset[str]:
    octets = {letter: ast.literal_eval(text_of(given, letter)) for letter in REPLY_LETTERS}
    return frozenset(letter for letter, reply in octets.items() if parse_reply(reply).verdict is Verdict.CLEAN)


REPLIES: Final = Exercise(
    number="02.9",
    grade=Grade.FIND_OUT,
    title="which reply is CLEAN?",
    goal="Each of these is all that came from clamd after one scan command, until it closed the connection. Which of"
    ' them mean CLEAN? Answer with a set of letters, as {"A", "B"}.',
    reason="Right: CLEAN is one sentence, word for word, to its last octet. All the others are a virus, or nobody"
    " knows; and what nobody knows is refused for now, 451.",
    way="kit.qhpsi.parse_reply(octets).verdict: exactly one reply, a name, `: OK`, a NUL.",
    hints=(
        "A reply is a name, a colon, a blank, what clamd says, and one NUL at the very end.",
        "Look at the last word before the NUL. The name may hold OK, FOUND, colons: it proves nothing.",
        'kit.qhpsi.parse_reply(b"stream: OK\\0").verdict, with each of the eight in place of that one.',
    ),
    draw=_draw_replies,
    solve=_solve_replies,
    judge=_judge_replies,
)
