r"""Lesson 03, exercises about records: an envelope in two forms, and who still waits.

Source: qmail-queue(8) (fd 1); IndiMail qmail-queue.c (u p F T e h), qmail-send.c `markdone()`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from indimail_kit.course.exercise import Drawn, Exercise
from indimail_kit.course.feedback import Grade
from indimail_kit.course.judging import judge_names, judge_text, text_of
from indimail_kit.course.words import NAMES
from indimail_kit.envelope import (
    Envelope,
    QueueRecords,
    decode_recipients,
    decode_records,
    encode_envelope,
    encode_records,
)


def shown(octets: bytes) -> str:
    r"""Return octets as a learner sees them: \0 for a NUL, \n for a line end."""
    return octets.decode().replace("\0", "\\0").replace("\n", "\\n")


def unshown(text: str) -> bytes:
    r"""Return the octets of a text with \0 and \n."""
    return text.replace("\\0", "\0").replace("\\n", "\n").encode()


# --- 03.3: the envelope -----------------------------------------------------------------------------------------


def _draw_envelope(rng: random.Random) -> Drawn:
    sender, *recipients = _addresses(rng, 3)
    qp = rng.randrange(2_000, 32_000)
    header = rng.choice((b"X-QHPSI: clean\n", b""))
    records = QueueRecords(
        uid=555, pid=qp, sender=sender.encode(), recipients=tuple(map(str.encode, recipients)), header=header
    )
    right = _envelope(records)
    one, two = recipients
    whole = shown(encode_records(records))
    traps = {
        right.removesuffix("\\0"): "One NUL is missing: an empty record says that the envelope ends here.",
        right.removesuffix("\\0\\0"): "The NUL of the last record and the one that ends the envelope are missing.",
        whole: "This is the todo file. u, p and e are added by qmail-queue; nobody hands them in.",
        f"{whole}\\0": "u, p and e are added by qmail-queue; nobody hands them in.",
        f"u555\\0p{qp}\\0{right}": "u is the user who calls, p the process: qmail-queue finds both out itself.",
        f"F{sender}\\0T{two}\\0T{one}\\0\\0": "The recipients are in another order than in the file.",
        f"T{one}\\0T{two}\\0F{sender}\\0\\0": "The sender comes first, or qmail-queue answers 79.",
        f"F{sender}\\0T{one}\\0\\0": "One recipient is missing.",
        f"F{sender}\\0T{one},{two}\\0\\0": "Each recipient has a record of its own.",
        right.replace("\\0", "\\n"): "Records end with a NUL. An address may hold a line end.",
        right.replace(f"F{sender}", f"F<{sender}>"): "Without angle brackets: they belong to SMTP.",
    }
    return Drawn(given={"todo file": whole}, right=right, traps=traps)


def _addresses(rng: random.Random, count: int) -> list[str]:
    """Return different users."""
    return [f"{name}{rng.randrange(10, 100)}@example.com" for name in rng.sample(NAMES, count)]


def _envelope(records: QueueRecords) -> str:
    return shown(encode_envelope(Envelope(records.sender or b"", records.recipients)))


def _otherwise_envelope(text: str) -> str:
    if "\\0" not in text and "\0" not in text:
        return "Write each NUL as \\0. Each record is a letter, a text and a NUL."
    if not text.startswith("F"):
        return "It begins with the record of the sender, whose letter is F."
    return "Nearly an envelope, but not this one. F with the sender, T with each recipient, then an empty record."


def _judge_envelope(drawn: Drawn, answer: object) -> str | None:
    written = shown(answer.encode()) if type(answer) is str and "\0" in answer and answer.isascii() else answer
    return judge_text(_otherwise_envelope, drawn, written)


ENVELOPE: Final = Exercise(
    number="03.3",
    grade=Grade.REPEAT,
    title="an envelope in two forms",
    goal=r"This is a todo file; \0 stands for a NUL, \n for a line end. Write the envelope that qmail-queue had read on"
    r" fd 1, with \0 for each NUL.",
    reason="Right. Whoever calls qmail-queue says who sends and who gets it; who called, when, and what the scan said"
    " are written by qmail-queue alone.",
    way="envelope.decode_records(octets) gives sender and recipients; encode_envelope(Envelope(sender, recipients)).",
    hints=(
        r"Cut the file at each \0. Which of the records can the caller know? u is the user, p the process.",
        "The sender first, each recipient behind it, then an empty record, which is a single NUL.",
        r'"F" + sender + "\\0" + "T" + recipient + "\\0" + … + "\\0".',
    ),
    draw=_draw_envelope,
    solve=lambda given: _envelope(decode_records(unshown(text_of(given, "todo file")))),
    judge=_judge_envelope,
)

# --- 03.4: who still waits --------------------------------------------------------------------------------------


def _draw_waiting(rng: random.Random) -> Drawn:
    users = _addresses(rng, 7)
    others = [user.replace("example.com", "example.org") for user in users[4:]]
    local = [(user, rng.random() < 0.5) for user in users[:4]]
    remote = [(user, rng.random() < 0.5) for user in others]
    if len({done for _user, done in local}) == 1:
        local[0] = (local[0][0], not local[0][1])
    failed = next(user for user, done in local if done)
    given = {
        "local file": _records(local),
        "remote file": _records(remote),
        "bounce file": f"{failed}:\\nSorry, no mailbox here by that name. (#5.1.1)\\n\\n",
    }
    return Drawn(given=given, right=frozenset(_waiting(given)))


def _records(recipients: list[tuple[str, bool]]) -> str:
    return "".join(f"{'D' if is_done else 'T'}{user}\\0" for user, is_done in recipients)


def _waiting(given: Mapping[str, object]) -> set[str]:
    """Return who still waits, in capitals."""
    return {
        recipient.address.decode().upper()
        for name in ("local file", "remote file")
        for recipient in decode_recipients(unshown(text_of(given, name)))
        if not recipient.is_done
    }


def _judge_waiting(drawn: Drawn, answer: object) -> str | None:
    local, remote = (decode_recipients(unshown(text_of(drawn.given, name))) for name in ("local file", "remote file"))
    bounced = text_of(drawn.given, "bounce file").partition(":")[0].upper()

    def wrong(name: str) -> str:
        if name == bounced:
            return "One of these has failed for good: the bounce file tells the sender, and the record is D."
        return "One of these is done: its record begins with D."

    return judge_names(
        drawn,
        answer,
        listed=frozenset(one.address.decode().upper() for one in (*local, *remote)),
        what="Addresses",
        wrong=wrong,
        missing="These wait, but one is missing. There are two files, one for each channel.",
        is_wanted_any="Not all of them: some records begin with D.",
    )


WAITING: Final = Exercise(
    number="03.4",
    grade=Grade.CHANGE,
    title="who still waits",
    goal="Three files of one message. For whom will qmail-send try again? Answer with the set of their addresses.",
    reason="Right. One octet in the file, T or D, is all that parts a mail that comes once from one that comes twice:"
    " it is overwritten in place, and nothing is ever rewritten.",
    way="envelope.decode_recipients of both files: T is not done, D is done, whether it was delivered or has failed.",
    hints=(
        "T means: to be tried. D means: done. local is for mailboxes here, remote for other hosts.",
        "Who stands in the bounce file has failed for good, and nobody tries again.",
        "Every address behind a T, from the local file and from the remote file.",
    ),
    draw=_draw_waiting,
    solve=_waiting,
    judge=_judge_waiting,
)
