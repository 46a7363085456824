"""Two scanners that disagree: the same mails, asked of clamd and of the embedded scanner.

Each mail of the small corpus holds EICAR, except two, in a wrapping that mail programs know. What a scanner says of it
is compared with what is known, because the mail was made here. Where one finds the virus and the other calls the mail
clean, "clean" is weak evidence: it says that this scanner, with this database, looking its way, found nothing.

Source: RFC 2045, 2046 (MIME); PKWARE APPNOTE (zip, traditional encryption); ClamAV 1.4.6, tried. Of 372 public mails
that hide EICAR in malformed MIME, clamd 1.4.6 found 258 and Python's email package showed 181.

Rule 1: the mails depend on the seed only; EICAR is put together at run time.
"""

from __future__ import annotations

import base64
import io
import quopri
import random
import struct
import tempfile
import zipfile
import zlib
from binascii import b2a_uu
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indimail_kit.qhpsi.signatures import eicar
from indimail_kit.qhpsi.verdict import ScanAnswer, Scanner, Verdict
from indimail_kit.visible import visible
from indimail_kit.wiring import provider

if TYPE_CHECKING:
    from random import Random

_ZIP_TIME: Final = (2010, 3, 15, 3, 0, 54)
_DEEP: Final = 40
_WORDS: Final = ("ledger", "harbour", "window", "orchard", "copper", "meadow", "lantern", "gravel", "saddle", "river")
_HEAD: Final = b"From: ann@example.com\nTo: bob@example.com\nSubject: for you\nMIME-Version: 1.0\n"
_PASSWORD: Final = b"infected"


@dataclass(frozen=True, slots=True)
class CorpusMail:
    """One mail of the corpus.

    Attributes:
        name: Short name.
        how: How EICAR is wrapped, as a phrase.
        holds_eicar: Whether a mail program can bring EICAR out of it.
        octets: The mail.
    """

    name: str
    how: str
    holds_eicar: bool
    octets: bytes = field(repr=False)


def _text(rng: Random, count: int = 12) -> bytes:
    """Return a harmless line."""
    return " ".join(rng.choice(_WORDS) for _ in range(count)).encode() + b".\n"


def _part(octets: bytes, kind: str = "application/octet-stream", encoding: str = "base64") -> bytes:
    encoders: Mapping[str, Callable[[bytes], bytes]] = {
        "base64": base64.encodebytes,
        "quoted-printable": lambda raw: quopri.encodestring(raw).replace(b"EICAR", b"E=49C=\nAR"),
    }
    encoded = encoders[encoding](octets)
    return f"Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + encoded


def _mixed(rng: Random, *parts: bytes, boundary: bytes = b"") -> bytes:
    """Return a multipart mail: a harmless text, and the parts."""
    line = boundary or b"=_%08x" % rng.getrandbits(32)
    body = b"".join(b"--" + line + b"\n" + part for part in (b"Content-Type: text/plain\n\n" + _text(rng), *parts))
    return _HEAD + b'Content-Type: multipart/mixed; boundary="' + line + b'"\n\n' + body + b"--" + line + b"--\n"


def _zip(octets: bytes, name: str = "eicar.com") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), octets, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _encrypted_zip(rng: Random, octets: bytes) -> bytes:
    """Return a zip with traditional encryption; the password is said in the mail, as real senders of viruses do.

    Source:
        PKWARE APPNOTE 6.1.
    """
    crc = zlib.crc32(octets)
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(octet: int) -> None:
        keys[0] = _crc_step(keys[0], octet)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = _crc_step(keys[2], keys[1] >> 24)

    def encrypt(octet: int) -> int:
        temp = (keys[2] | 2) & 0xFFFF
        coded = octet ^ ((temp * (temp ^ 1)) >> 8 & 0xFF)
        update(octet)
        return coded

    for octet in _PASSWORD:
        update(octet)
    coded = bytes(encrypt(octet) for octet in rng.randbytes(11) + bytes([crc >> 24]) + octets)
    name = b"eicar.com"
    fields = struct.pack("<HHHHHIIIHH", 20, 1, 0, 0x181B, 0x3C6F, crc, len(coded), len(octets), len(name), 0)
    local = b"PK\x03\x04" + fields + name + coded
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    return local + central + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)


def _crc_step(crc: int, octet: int) -> int:
    """Return the CRC-32 after one more octet, without the final inversion."""
    return zlib.crc32(bytes([octet & 0xFF]), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _uuencoded(octets: bytes) -> bytes:
    lines = b"".join(b2a_uu(octets[start : start + 45]) for start in range(0, len(octets), 45))
    return b"begin 644 eicar.com\n" + lines + b"`\nend\n"


def _deep(rng: Random, octets: bytes, depth: int) -> bytes:
    inner = _part(octets)
    for level in range(depth):
        line = b"level%d" % level
        head = b'Content-Type: multipart/mixed; boundary="' + line + b'"\n\n'
        inner = head + b"--" + line + b"\n" + inner + b"\n--" + line + b"--\n"
    return _HEAD + inner + _text(rng)


def _with_junk(octets: bytes) -> bytes:
    """Return Base64 with characters that a decoder has to skip. Source: RFC 2045 section 6.8."""
    encoded = base64.b64encode(octets)
    return b"\n".join(b"-" + encoded[start : start + 7] + b"!" for start in range(0, len(encoded), 7)) + b"\n"


def _padded() -> bytes:
    """Return EICAR with the blanks that it may have behind it: too regular to be stored uncompressed."""
    return eicar() + b" " * 60


_Maker = Callable[["Random"], bytes]

_OCTETS: Final = b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: "

CASES: Final[Mapping[str, tuple[str, bool, _Maker]]] = {
    "clean": ("no EICAR at all", False, lambda rng: _mixed(rng, _part(_text(rng)))),
    "halves": ("its two halves in two parts: nobody can put them together by accident", False,
               lambda rng: _mixed(rng, _part(eicar()[:34]), _part(eicar()[34:]))),
    "text": ("as the text of the mail", True, lambda rng: _HEAD + b"\n" + eicar() + b"\n" + _text(rng)),
    "base64": ("as a Base64 part", True, lambda rng: _mixed(rng, _part(eicar()))),
    "quoted-printable": ("as a quoted-printable part, broken in the middle", True,
                         lambda rng: _mixed(rng, _part(eicar(), "text/plain", "quoted-printable"))),
    "zip": ("in a zip", True, lambda rng: _mixed(rng, _part(_zip(_padded()), "application/zip"))),
    "zip in zip": ("in a zip in a zip", True,
                   lambda rng: _mixed(rng, _part(_zip(_zip(_padded()), "inner.zip"), "application/zip"))),
    "gzip": ("in a gzip file", True,
             lambda rng: _mixed(rng, _part(zlib.compress(_padded(), wbits=31), "application/gzip"))),
    "encrypted zip": ("in an encrypted zip, the password is in the mail", True,
                      lambda rng: _mixed(rng, b"Content-Type: text/plain\n\nPassword: " + _PASSWORD + b"\n",
                                         _part(_encrypted_zip(rng, eicar()), "application/zip"))),
    "message": ("in a mail within the mail", True,
                lambda rng: _mixed(rng, b"Content-Type: message/rfc822\n\n" + _mixed(rng, _part(eicar())))),
    "known header first": ("the whole mail is one Base64 body; its first header is a known one", True,
                           lambda _: _HEAD + _OCTETS + b"base64\n\n" + base64.encodebytes(eicar())),
    "unknown header first": ("the whole mail is one Base64 body; its first header is an unknown one", True,
                             lambda _: b"X-Odd: 1\n" + _OCTETS + b"base64\n\n" + base64.encodebytes(eicar())),
    "junk in base64": ("in Base64 with characters that are to be skipped", True,
                       lambda rng: _mixed(rng, _OCTETS + b"base64\n\n" + _with_junk(eicar()))),
    "two encodings": ("in a part that names two encodings, the second one true", True,
                      lambda rng: _mixed(rng, _OCTETS + b"7bit\nContent-Transfer-Encoding: base64\n\n"
                                         + base64.encodebytes(eicar()))),
    "wrong boundary": ("behind a boundary that the header does not name", True,
                       lambda rng: _mixed(rng, b"\n", boundary=b"one").replace(b"--one--", b"--two\n" + _part(eicar())
                                                                               + b"--two--")),
    "no end": ("in a part without a final boundary", True,
               lambda rng: _mixed(rng, _part(eicar()), boundary=b"open").replace(b"--open--\n", b"")),
    "uuencoded": ("uuencoded in the text, as in the years before MIME", True,
                  lambda rng: _HEAD + b"\n" + _text(rng) + b"\n" + _uuencoded(eicar())),
    "deep": (f"{_DEEP} parts deep", True, lambda rng: _deep(rng, eicar(), _DEEP)),
    "utf-16": ("as text in UTF-16", True,
               lambda rng: _mixed(rng, _part(eicar().decode("ascii").encode("utf-16-le"), "text/plain"))),
}  # fmt: skip
"""Name -> how EICAR is wrapped, whether it can be brought out, and how the mail is made."""


def corpus(seed: int = 1) -> tuple[CorpusMail, ...]:
    """Return the mails; the same seed gives the same octets."""
    rng = random.Random(seed)  # noqa: S311 - harmless text, the same on wish
    return tuple(CorpusMail(name, how, holds, make(rng)) for name, (how, holds, make) in CASES.items())


@dataclass(frozen=True, slots=True)
class Opinion:
    """What each scanner says of one mail.

    Attributes:
        mail: The mail.
        answers: Scanner's name -> its answer.
    """

    mail: CorpusMail
    answers: Mapping[str, ScanAnswer]

    @property
    def is_split(self) -> bool:
        """Say whether the scanners disagree."""
        return len({answer.verdict for answer in self.answers.values()}) > 1

    @property
    def missed_by(self) -> tuple[str, ...]:
        """Return who called the mail clean although EICAR is in it."""
        if not self.mail.holds_eicar:
            return ()
        return tuple(name for name, answer in self.answers.items() if answer.verdict is Verdict.CLEAN)

    @property
    def row(self) -> tuple[str, ...]:
        """Return mail, wrapping, truth, and each verdict with its reason."""
        said = (
            f"{answer.verdict.value}: {answer.reason}" if answer.reason else answer.verdict.value
            for answer in self.answers.values()
        )  # fmt: skip
        return self.mail.name, self.mail.how, "yes" if self.mail.holds_eicar else "no", *said


@dataclass(frozen=True, slots=True)
class Opinions:
    """What the scanners say of every mail of the corpus.

    Attributes:
        scanners: Names of the scanners.
        opinions: One for each mail.
    """

    scanners: tuple[str, ...]
    opinions: tuple[Opinion, ...]

    @property
    def sentence(self) -> str:
        """Say why "clean" is weak evidence."""
        holding = [one for one in self.opinions if one.mail.holds_eicar]
        missed = {name: sum(name in one.missed_by for one in holding) for name in self.scanners}
        counts = ", ".join(f"{name} called {count} of them clean" for name, count in missed.items())
        split = sum(one.is_split for one in self.opinions)
        return f"{len(holding)} of {len(self.opinions)} mails hold EICAR; {counts}. The scanners disagree on {split}."

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return ("mail", "wrapping", "holds EICAR", *self.scanners)

    @property
    def frame(self) -> Any:
        """Return the table as a DataFrame of texts."""
        return provider("text_frame")(self.columns, [one.row for one in self.opinions])

    def __repr__(self) -> str:
        """Return the table for a terminal, without wrappings and reasons."""
        short = [(one.row[0], *(cell.partition(":")[0] for cell in one.row[2:])) for one in self.opinions]
        rows = [(self.columns[0], *self.columns[2:]), *short]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(visible(line.rstrip()) for line in (self.sentence, *lines))

    def _repr_html_(self) -> str:
        return str(provider("grid_html")(self.sentence, self.columns, [one.row for one in self.opinions]))


def second_opinion(scanners: Mapping[str, Scanner], *, seed: int = 1) -> Opinions:
    """Ask each scanner about each mail of the corpus.

    Args:
        scanners: Name -> scanner: ``{"clamd": clamd.client, "embedded": qhpsi.embedded()}``.
        seed: Of the corpus.
    """
    opinions = []
    with tempfile.TemporaryDirectory(prefix="ik-opinion-") as directory:
        for number, mail in enumerate(corpus(seed)):
            path = Path(directory) / f"{number}.eml"
            path.write_bytes(mail.octets)
            opinions.append(Opinion(mail, {name: scanner(path) for name, scanner in scanners.items()}))
    return Opinions(tuple(scanners), tuple(opinions))
