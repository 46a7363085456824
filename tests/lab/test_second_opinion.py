"""Two scanners and one corpus: what they say is compared with what is known of each mail."""

from __future__ import annotations

import email
import gzip
import io
import zipfile
from collections.abc import Callable

import pytest

from indimail_kit import qhpsi
from indimail_kit.lab.second_opinion import CASES, CorpusMail, Opinions, corpus, second_opinion
from indimail_kit.qhpsi import ClamdDaemon, Verdict, eicar

MAILS = {mail.name: mail for mail in corpus()}


def _parts(octets: bytes) -> list[bytes]:
    """Return every decoded leaf as Python's email package sees it."""
    parsed = email.message_from_bytes(octets)
    return [part.get_payload(decode=True) or b"" for part in parsed.walk() if not part.is_multipart()]


def _unzip(octets: bytes, password: bytes | None = None) -> bytes:
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        return archive.read(archive.namelist()[0], pwd=password)


OPENERS: dict[str, Callable[[bytes], bytes]] = {
    "text": lambda octets: octets,
    "base64": lambda octets: _parts(octets)[1],
    "quoted-printable": lambda octets: _parts(octets)[1],
    "zip": lambda octets: _unzip(_parts(octets)[1]),
    "zip in zip": lambda octets: _unzip(_unzip(_parts(octets)[1])),
    "gzip": lambda octets: gzip.decompress(_parts(octets)[1]),
    "encrypted zip": lambda octets: _unzip(_parts(octets)[2], b"infected"),
    "message": lambda octets: _parts(octets)[-1],
    "known header first": lambda octets: _parts(octets)[0],
    "unknown header first": lambda octets: _parts(octets)[0],
    "no end": lambda octets: _parts(octets)[1],
    "deep": lambda octets: _parts(octets)[0],
    "utf-16": lambda octets: _parts(octets)[1].decode("utf-16-le").encode(),
}
"""Name -> how another program, Python's own, brings EICAR out."""


@pytest.fixture(scope="module")
def opinions() -> Opinions:
    """What a real clamd and the embedded scanner say."""
    with ClamdDaemon() as clamd:
        return second_opinion({"clamd": clamd.client, "embedded": qhpsi.embedded()})


def test_a_seed_gives_the_same_octets() -> None:
    """Another seed gives other texts around the same wrappings."""
    assert corpus(7) == corpus(7)
    assert [mail.octets for mail in corpus(7)] != [mail.octets for mail in corpus(8)]
    assert [mail.name for mail in corpus(8)] == list(CASES)


@pytest.mark.parametrize("name", OPENERS)
def test_what_is_said_to_hold_eicar_holds_it(name: str) -> None:
    """Another program opens the wrapping and finds the 68 octets: the corpus is true."""
    assert MAILS[name].holds_eicar
    assert eicar() in OPENERS[name](MAILS[name].octets)


@pytest.mark.parametrize("mail", [mail for mail in MAILS.values() if mail.name != "text"], ids=lambda mail: mail.name)
def test_eicar_is_wrapped(mail: CorpusMail) -> None:
    """It is not simply there for anybody who looks at the octets."""
    assert eicar() not in mail.octets


def test_nobody_finds_what_is_not_there(opinions: Opinions) -> None:
    """The clean mail, and the one with the two halves."""
    said = [one.answers.values() for one in opinions.opinions if not one.mail.holds_eicar]

    assert [answer.verdict for answers in said for answer in answers] == [Verdict.CLEAN] * 4


def test_each_scanner_misses_what_the_other_finds_or_refuses(opinions: Opinions) -> None:
    """Clamd 1.4.6 lets the encrypted zip and the odd header through; the embedded scanner the odd MIME; both UTF-16."""
    missed = {one.mail.name: one.missed_by for one in opinions.opinions if one.missed_by}

    assert missed == {
        "encrypted zip": ("clamd",),
        "unknown header first": ("clamd",),
        "two encodings": ("embedded",),
        "wrong boundary": ("embedded",),
        "uuencoded": ("embedded",),
        "utf-16": ("clamd", "embedded"),
    }


def test_what_a_scanner_cannot_open_is_not_clean(opinions: Opinions) -> None:
    """Archives that the embedded scanner does not open, and too many parts within each other."""
    said = {one.mail.name: [answer.verdict.value for answer in one.answers.values()] for one in opinions.opinions}

    assert said["gzip"] == ["INFECTED", "NOT_SCANNED"]
    assert said["zip in zip"] == ["INFECTED", "NOT_SCANNED"]
    assert said["encrypted zip"] == ["CLEAN", "NOT_SCANNED"]
    assert said["deep"] == ["NOT_SCANNED", "NOT_SCANNED"]


def test_the_sentence_counts_what_the_table_shows(opinions: Opinions) -> None:
    """Why "clean" is weak evidence, in numbers."""
    assert opinions.sentence == (
        "17 of 19 mails hold EICAR; clamd called 3 of them clean, embedded called 4 of them clean."
        " The scanners disagree on 7."
    )
    assert repr(opinions).splitlines()[0] == opinions.sentence
    assert max(map(len, repr(opinions).splitlines())) <= 120
    assert opinions.sentence.split(";")[0] in opinions._repr_html_()


def test_the_table_is_a_frame(opinions: Opinions) -> None:
    """One row a mail, with the reasons."""
    frame = opinions.frame

    assert list(frame.columns) == ["mail", "wrapping", "holds EICAR", "clamd", "embedded"]
    assert list(frame["mail"]) == list(CASES)
    assert frame.loc[frame["mail"] == "gzip", "embedded"].item() == "NOT_SCANNED: gzip archive"


def test_encrypted_archives_can_be_made_a_finding() -> None:
    """With AlertEncrypted clamd does not call them clean: a setting, not a better scanner."""
    path_mail = MAILS["encrypted zip"]
    with ClamdDaemon(options={"AlertEncrypted": "yes"}) as clamd:
        answer = clamd.client.scan_stream(path_mail.octets)

    assert (answer.verdict, answer.signature) == (Verdict.INFECTED, "Heuristics.Encrypted.Zip")
