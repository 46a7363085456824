"""Tests of embedded.py."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import lzma
import os
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.errors import MissingPartError
from indimail_kit.qhpsi.embedded import EmbeddedScanner, Limits
from indimail_kit.qhpsi.signatures import Signature, teaching_signatures
from indimail_kit.qhpsi.verdict import ScanAnswer, Verdict

SCANNER = EmbeddedScanner()

EICAR_NAME = "IndiMailKit.Eicar-Test-Signature"


def with_type(content_type: str, body: bytes, *more: str) -> bytes:
    """Return a mail with a Content-Type, further header lines and a body."""
    lines = ["From: ann@example.com", "MIME-Version: 1.0", f"Content-Type: {content_type}", *more]
    return "\n".join(lines).encode() + b"\n\n" + body


def zip_of(members: dict[str, bytes]) -> bytes:
    """Return a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in members.items():
            archive.writestr(name, octets)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "verdict", "signature"),
    [
        ("clean", Verdict.CLEAN, ""),
        ("eicar", Verdict.INFECTED, EICAR_NAME),
        ("eicar-base64", Verdict.INFECTED, EICAR_NAME),
        ("eicar-zip", Verdict.INFECTED, EICAR_NAME),
    ],
)
def test_mail_has_its_verdict(mess: Callable[[str], Path], name: str, verdict: Verdict, signature: str) -> None:
    """The test virus is found plain, in Base64 and in a zip file, as by clamd."""
    answer = SCANNER(mess(name))

    assert (answer.verdict, answer.signature, answer.reason) == (verdict, signature, "")
    assert answer.elapsed_ns > 0


def test_every_answer_says_that_it_is_the_embedded_scanner(mess: Callable[[str], Path]) -> None:
    """Nobody takes it for clamd."""
    import yara

    assert SCANNER(mess("clean")).scanner == f"embedded (YARA {yara.__version__}, 3 teaching rules)"


@pytest.mark.parametrize("signature", teaching_signatures(), ids=lambda signature: signature.name)
def test_each_teaching_signature_is_found(signature: Signature, attachment: Callable[[bytes], bytes]) -> None:
    """All three, within an attachment."""
    assert SCANNER.scan_octets(attachment(b"x" + signature.marker)).signature == signature.name


def test_extra_signature_is_found() -> None:
    """A lesson's own signature joins the teaching ones."""
    scanner = EmbeddedScanner(extra_signatures=[Signature("Lesson.One", b"a marker of the lesson")])

    assert scanner.scan_octets(b"... a marker of the lesson ...").signature == "Lesson.One"
    assert "4 teaching rules" in scanner.name


@pytest.mark.parametrize(
    "encode",
    [
        lambda eicar: with_type("text/plain", base64.encodebytes(eicar), "Content-Transfer-Encoding: base64"),
        lambda eicar: with_type("text/plain", eicar.replace(b"=", b"=3D")[:34] + b"=\n" + eicar[34:],
                                "Content-Transfer-Encoding: quoted-printable"),
        lambda eicar: with_type("message/rfc822", with_type("text/plain", base64.encodebytes(eicar),
                                                            "Content-Transfer-Encoding: base64")),
        lambda eicar: with_type('multipart/mixed; boundary="A"', b"--A\n" + with_type(
            'multipart/alternative; boundary="B"', b"--B\n" + with_type(
                "application/x", base64.encodebytes(eicar), "Content-Transfer-Encoding: BASE64") + b"\n--B--\n")
            + b"\n--A--\n"),
        lambda eicar: zip_of({"a.txt": b"harmless", "dir/b.com": eicar}),
        lambda eicar: b"MZ self-extractor" + zip_of({"b.com": eicar}),
        lambda eicar: with_type('multipart/mixed; boundary="A"', b"--A\n" + with_type(
            "application/zip", base64.encodebytes(zip_of({"b.com": b"x" * 100 + eicar})),
            "Content-Transfer-Encoding: base64").replace(b"\n", b"\r\n") + b"\r\n--A--\r\n"),
    ],
    ids=["base64", "quoted-printable", "nested message", "nested parts", "zip", "self-extractor", "zip, CR LF"],
)  # fmt: skip
def test_hidden_virus_is_found(encode: Callable[[bytes], bytes], eicar_octets: bytes) -> None:
    """Where mail programs decode, the scanner does too."""
    assert SCANNER.scan_octets(encode(eicar_octets)).signature == EICAR_NAME


@pytest.mark.parametrize("cut", range(1, 68, 7))
def test_part_of_the_virus_is_none(eicar_octets: bytes, cut: int) -> None:
    """Neither half of the test file is found: the signature is all of it."""
    assert SCANNER.scan_octets(eicar_octets[:cut]).verdict is Verdict.CLEAN
    assert SCANNER.scan_octets(eicar_octets[cut:]).verdict is Verdict.CLEAN


def encrypted_zip(octets: bytes) -> bytes:
    """Return a zip file whose member claims to be encrypted."""
    plain = bytearray(zip_of({"a": octets}))
    plain[6] |= 1
    plain[plain.index(b"PK\x01\x02") + 8] |= 1
    return bytes(plain)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (gzip.compress, "gzip archive"),
        (bz2.compress, "bzip2 archive"),
        (lambda eicar: lzma.compress(eicar + bytes(500)), "xz archive"),
        (lambda eicar: b"7z\xbc\xaf\x27\x1c" + eicar[::-1], "7z archive"),
        (lambda eicar: b"Rar!\x1a\x07\x00" + eicar[::-1], "rar archive"),
        (lambda eicar: zip_of({"inner.zip": zip_of({"b.com": eicar})}), "zip file in a zip file"),
        (lambda eicar: zip_of({"inner.gz": gzip.compress(eicar)}), "gzip archive"),
        (encrypted_zip, "zip file that cannot be read (RuntimeError)"),
        (lambda eicar: zip_of({"b.com": eicar})[:-5], "zip file that cannot be read (BadZipFile)"),
        (lambda eicar: b"PK\x03\x04" + eicar[::-1], "zip file that cannot be read (BadZipFile)"),
    ],
    ids=["gzip", "bzip2", "xz", "7z", "rar", "zip in zip", "gzip in zip", "encrypted", "cut off", "no zip"],
)
def test_what_cannot_be_opened_is_not_scanned(
    make: Callable[[bytes], bytes], reason: str, eicar_octets: bytes, attachment: Callable[[bytes], bytes]
) -> None:
    """An archive that is not opened hides what is in it: not clean, and the reason says which."""
    answer = SCANNER.scan_octets(attachment(make(eicar_octets)))

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, reason)


def test_virus_beside_a_closed_archive_is_found(eicar_octets: bytes) -> None:
    """A finding counts more than what could not be opened."""
    octets = zip_of({"a.gz": gzip.compress(b"x"), "b.com": eicar_octets})

    assert SCANNER.scan_octets(octets).verdict is Verdict.INFECTED


# ---- limits and hostile input ----


@pytest.mark.parametrize(
    ("limits", "octets", "reason"),
    [
        (Limits(message_bytes=100), b"x" * 101, "more than 100 octets"),
        (Limits(line_count=10), b"\n" * 11, "more than 10 lines"),
        (Limits(line_count=10), b"\r" * 6 + b"x" + b"\n" * 5, "more than 10 lines"),
        (Limits(boundary_count=5), b"x\n--\n--\n--\r--\r--\n--", "more than 5 boundary lines"),
        (Limits(parameter_work=1000), b"Content-Type: " + b"a" * 30, "more than 1000 steps to read MIME parameters"),
        (Limits(decoded_bytes=10), with_type("text/plain", b"x" * 11), "more than 10 octets decoded"),
        (Limits(member_count=2), zip_of({"a": b"", "b": b"", "c": b""}), "more than 2 members in a zip file"),
        (Limits(ratio_from_bytes=100), zip_of({"a": bytes(100_000)}), "more than 200 to 1 packed zip member"),
        (Limits(decoded_bytes=1000), zip_of({"a": os.urandom(1001)}), "more than 1000 octets decoded"),
    ],
    ids=["size", "lines", "bare CR", "boundaries", "parameters", "decoded", "members", "ratio", "unpacked"],
)
def test_beyond_a_limit_is_not_scanned(limits: Limits, octets: bytes, reason: str) -> None:
    """Each limit ends the scan with its reason."""
    answer = EmbeddedScanner(limits=limits).scan_octets(octets)

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, reason)


@pytest.mark.parametrize(
    ("limits", "octets"),
    [
        (Limits(message_bytes=100), b"x" * 100),
        (Limits(line_count=10), b"\r\n" * 10),
        (Limits(boundary_count=5), b"x\n--\n--\n--\r--\r--"),
        (Limits(decoded_bytes=10), with_type("text/plain", b"x" * 10)),
        (Limits(member_count=3), zip_of({"a": b"", "b": b"", "c": b""})),
        (Limits(ratio=2000, ratio_from_bytes=100), zip_of({"a": bytes(100_000)})),
    ],
    ids=["size", "lines", "boundaries", "decoded", "members", "ratio"],
)
def test_exactly_the_limit_is_scanned(limits: Limits, octets: bytes) -> None:
    """The other side of each limit."""
    assert EmbeddedScanner(limits=limits).scan_octets(octets).verdict is Verdict.CLEAN


def nested(depth: int, kind: str) -> bytes:
    """Return parts within parts."""
    mail = b"Content-Type: text/plain\n\nhello\n"
    for level in range(depth):
        if kind == "multipart":
            head = f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n'.encode()
            mail = head + mail + f"\n--b{level}--\n".encode()
        else:
            mail = b"Content-Type: message/rfc822\n\n" + mail
    return mail


@pytest.mark.parametrize("kind", ["multipart", "message"])
@pytest.mark.parametrize(
    ("depth", "verdict"), [(30, Verdict.CLEAN), (31, Verdict.NOT_SCANNED), (2000, Verdict.NOT_SCANNED)]
)
def test_deep_nesting_is_not_scanned(kind: str, depth: int, verdict: Verdict) -> None:
    """Parts within parts are followed to a depth; where Python's parser gives up, nothing is called clean."""
    assert SCANNER.scan_octets(nested(depth, kind)).verdict is verdict


def test_zip_bomb_is_bounded() -> None:
    """Eighty megabytes of zeros in eighty kilobytes: quick, small, and not clean."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as member:
        for _ in range(80):
            member.write(bytes(1 << 20))
    start = time.monotonic()

    answer = SCANNER.scan_octets(bomb.getvalue())

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, "more than 67108864 octets decoded")
    assert time.monotonic() - start < 5


def test_nest_of_zip_files_is_bounded() -> None:
    """Sixteen zip files of sixteen zip files, as in the famous 42 kB: one level is looked at."""
    inner = zip_of({f"{n}": bytes(100_000) for n in range(16)})
    nest = zip_of({f"{n}.zip": zip_of({f"{m}.zip": inner for m in range(16)}) for n in range(16)})

    answer = SCANNER.scan_octets(nest)

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, "zip file in a zip file")


@pytest.mark.parametrize(
    "octets",
    [
        b'Content-Type: multipart/mixed; a="' + b";" * 1_000_000 + b"\n\nx",
        b"Content-Type: multipart/mixed; boundary=a\n" + b"\n--a\n" * 200_000,
        b"a: b\n" * 200_000 + b"\nx",
        (
            b"Content-Type: text/plain; charset=no-such-charset\nContent-Transfer-Encoding: base64\n\n"
            + b"\xff\xfe=" * 1000
        ),
        b"Content-Type: text/plain; charset=\x00\xff\n\n\xff",
        b"Content-Transfer-Encoding: uuencode\n\nbegin 666 x\n" + b"\xff" * 1000,
        b"Content-Type: message/external-body\n\n\n\n",
        b"From " + b"(" * 100_000,
        bytes(range(256)) * 100,
    ],
    ids=["quotes", "boundaries", "headers", "charset", "bad charset", "uuencode", "external", "comments", "octets"],
)
def test_hostile_mail_ends_soon_with_a_verdict(octets: bytes) -> None:
    """Input made to hang or break parsers is over in seconds, and nothing is raised."""
    start = time.monotonic()

    answer = SCANNER.scan_octets(octets)

    assert answer.verdict in (Verdict.CLEAN, Verdict.NOT_SCANNED)
    assert time.monotonic() - start < 8


@given(octets=st.binary(max_size=300))
def test_any_octets_have_a_verdict(octets: bytes) -> None:
    """Random octets behind MIME headers never raise."""
    octets = b'Content-Type: multipart/mixed; boundary="x"\n\n--x\nContent-Transfer-Encoding: base64\n' + octets

    assert isinstance(SCANNER.scan_octets(octets), ScanAnswer)


@given(data=st.data())
def test_damaged_mail_with_a_virus_never_raises(data: st.DataObject, attachment: Callable[[bytes], bytes]) -> None:
    """A mail with octets changed at random gives a verdict."""
    mail = bytearray(attachment(zip_of({"b.com": b"harmless but here"})))
    for _ in range(5):
        mail[data.draw(st.integers(0, len(mail) - 1))] = data.draw(st.integers(0, 255))

    assert SCANNER.scan_octets(bytes(mail)).verdict in (Verdict.CLEAN, Verdict.NOT_SCANNED)


def test_rules_that_take_too_long_are_not_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """YARA's own time limit is a NOT_SCANNED."""
    import yara

    scanner = EmbeddedScanner()

    class SlowRules:
        def match(self, **_: object) -> list[object]:
            raise yara.TimeoutError("scanning timed out")

    monkeypatch.setattr(scanner, "_rules", SlowRules())

    answer = scanner.scan_octets(b"x")

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, "YARA: scanning timed out")


# ---- files ----


def test_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    """A sparse file of a terabyte is NOT_SCANNED at once."""
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)

    answer = SCANNER(path)

    assert (answer.verdict, answer.reason) == (Verdict.NOT_SCANNED, "more than 33554432 octets")


def test_what_is_no_file_is_not_scanned(tmp_path: Path) -> None:
    """Directories and FIFOs are NOT_SCANNED, a missing file is an ERROR."""
    os.mkfifo(tmp_path / "fifo")

    answers = [SCANNER(path) for path in (tmp_path, tmp_path / "fifo", tmp_path / "none")]

    assert [(a.verdict, a.reason) for a in answers] == [
        (Verdict.NOT_SCANNED, "not a regular file"),
        (Verdict.NOT_SCANNED, "not a regular file"),
        (Verdict.ERROR, "message: No such file or directory"),
    ]


def test_threads_share_one_scanner(mails: dict[str, bytes]) -> None:
    """Two hundred scans in eight threads are all right."""
    octets = [mails["clean"], mails["eicar-zip"]] * 100

    with ThreadPoolExecutor(8) as pool:
        verdicts = [answer.verdict for answer in pool.map(SCANNER.scan_octets, octets)]

    assert verdicts == [Verdict.CLEAN, Verdict.INFECTED] * 100


def test_missing_yara_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without yara-python there is no scanner, and the error names the package."""
    monkeypatch.setitem(sys.modules, "yara", None)

    with pytest.raises(MissingPartError, match=r"^yara-python is missing\. Install it: pip install yara-python\.$"):
        EmbeddedScanner()
