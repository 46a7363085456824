"""Attack: mails that are made to break Python's email package, or to keep it busy, on the way through the scanner.

Source: CVE-2026-1299, CVE-2025-11468 and the like: RecursionError, LookupError, ValueError out of parsers; the table of
threats, "Python email DoS": 100,000 mutated mails, 0 unhandled.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indimail_kit.lab.mail import ATTACHMENTS, compose
from indimail_kit.qhpsi.embedded import EmbeddedScanner
from indimail_kit.qhpsi.verdict import Verdict

DATA = Path(__file__).resolve().parents[1] / "data" / "indimail" / "qhpsi"
MAILS = (
    *(path.read_bytes()[:6000] for path in sorted(DATA.rglob("*.eml"))),
    *(
        compose(
            sender="ann@example.com", recipient="bob@example.com", subject="x", body="hello", attach=attach,
            date=datetime(2026, 11, 22, tzinfo=UTC), message_id="<1@example.com>",
        )
        for attach in ATTACHMENTS
    ),
)  # fmt: skip
"""Mails of the real program, and the lab's with and without the test virus."""
COUNT = {"short": 1_500, "full": 100_000}
"""Mutated mails."""

EVIL = (
    b'Content-Type: multipart/mixed; boundary="',
    b"\n--",
    b"--\n",
    b"boundary==?utf-8?q?x?=",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Type: message/partial; id=1\n",
    b"Content-Type: message/external-body\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: x-uuencode\n",
    b"Content-Transfer-Encoding: \xff\n",
    b'charset="utf-7"',
    b"charset=idna",
    b"charset=rot13",
    b"charset=\x00",
    b"charset*0*=utf-8''%ff",
    b"name*=''",
    b"=?\xff?b?x?=",
    b"\r",
    b"\n",
    b"\r\n\r\n",
    b"\x00",
    b"\x1a",
    b"\xff\xfe",
    b"\xe2\x80\xa8",
    b"\x85",
    b"begin 644 x\n",
    b"PK\x03\x04",
    b"=\n",
    b"From ",
    b"; " * 50,
    b'"' * 99,
    b"From: " + b"(" * 200,
    b"To: " + b"<" * 200,
    b"Date: " + b"9" * 300,
    b"Received: " + b"\t\n " * 60,
)
"""Pieces that are put in."""


def mutated(rng: random.Random) -> bytes:
    """Return a mail with a few pieces cut, doubled, swapped or put in."""
    mail = bytearray(rng.choice(MAILS))
    for _ in range(rng.randrange(1, 9)):
        at, length = rng.randrange(len(mail) + 1), rng.randrange(200)
        deed = rng.randrange(5)
        if deed == 0:
            del mail[at : at + length]
        elif deed == 1:
            mail[at:at] = mail[at : at + length] * rng.randrange(1, 4)
        elif deed == 2:
            mail[at:at] = rng.choice(EVIL)
        elif deed == 3:
            mail[at : at + 8] = rng.randbytes(8)
        else:
            mail = bytearray(rng.choice(EVIL) + bytes(mail))
    return bytes(mail)


def test_mutated_mail_never_raises_and_is_never_called_by_a_wrong_name(sweep_size: str) -> None:
    """Every mail gets one of the four verdicts; what could not be taken apart is not called clean by an exception."""
    rng = random.Random(4711)  # noqa: S311 - the same mails each time
    scanner = EmbeddedScanner()
    verdicts: dict[Verdict, int] = dict.fromkeys(Verdict, 0)
    times_ns = []
    for _ in range(COUNT[sweep_size]):
        mail = mutated(rng)
        begun_ns = time.process_time_ns()
        verdicts[scanner.scan_octets(mail).verdict] += 1
        times_ns.append(time.process_time_ns() - begun_ns)
    p99_ms = sorted(times_ns)[len(times_ns) * 99 // 100] / 10**6
    told = ", ".join(f"{verdict.name} {count}" for verdict, count in verdicts.items())
    print(f"{len(times_ns)} mails: {told}; 99 % within {p99_ms:.2f} ms")

    assert sum(verdicts.values()) == COUNT[sweep_size]
    assert verdicts[Verdict.INFECTED] > 0
    assert verdicts[Verdict.CLEAN] > 0


@pytest.mark.parametrize("piece", EVIL, ids=lambda piece: repr(bytes(piece[:30])))
def test_mail_that_is_one_piece_again_and_again_ends(piece: bytes) -> None:
    """A megabyte of one hostile piece is looked at, or refused with a reason; it ends, and nothing is raised."""
    answer = EmbeddedScanner().scan_octets((piece * (2**20 // len(piece)))[: 2**20])

    assert answer.verdict is Verdict.CLEAN or answer.reason
