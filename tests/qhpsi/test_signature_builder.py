"""Tests of signature_builder.py: what is built is what the real clamd loads, finds and does not find."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from indimail_kit.errors import FormatError
from indimail_kit.qhpsi import ClamdDaemon
from indimail_kit.qhpsi.signature_builder import (
    BodySignature,
    BuiltSignature,
    HashSignature,
    LogicalSignature,
    Subsignature,
    body_signature,
    hash_signature,
    logical_signature,
)
from indimail_kit.qhpsi.signature_explained import NAME, TARGETS
from indimail_kit.qhpsi.signature_lines import parse_signature
from indimail_kit.qhpsi.verdict import Verdict

CHANCE = "So few stand in innocent files by chance."

OCTETS = b"the quarterly figures, as a file\n"
MAIL = b"Received: by mx.example.com\nSubject: x\n\n"


@dataclass(frozen=True)
class Case:
    """A signature, a file that it finds, and one that it just does not find."""

    signature: BuiltSignature
    found: bytes
    missed: bytes


CASES = {
    "md5 of a file": Case(hash_signature("Case.Md5", OCTETS), OCTETS, OCTETS + b"\n"),
    "sha1 of a file": Case(hash_signature("Case.Sha1", b"1" + OCTETS, algorithm="sha1"), b"1" + OCTETS, b"l" + OCTETS),
    "sha256 of a file": Case(
        hash_signature("Case.Sha256", b"2" + OCTETS, algorithm="sha256"), b"2" + OCTETS, b"2" + OCTETS[:-1]
    ),
    "md5 of any size": Case(
        hash_signature("Case.Any", b"3" + OCTETS, is_any_size=True), b"3" + OCTETS, b"3" + OCTETS + b"\n"
    ),
    "sha256 of any size": Case(
        hash_signature("Case.AnySha", b"4" + OCTETS, algorithm="sha256", is_any_size=True), b"4" + OCTETS, b"4" * 34
    ),
    "octets anywhere": Case(
        body_signature("Case.Body", b"pay this invoice today"), b"please pay this invoice today!",
        b"pay this invoice to-day",
    ),
    "octets at the start": Case(
        body_signature("Case.Start", b"begins with these octets", offset="0"),
        b"begins with these octets and goes on", b" begins with these octets",
    ),
    "octets near the start": Case(
        body_signature("Case.Near", b"begins near the start of it", offset="0,4"),
        b"1234begins near the start of it", b"12345begins near the start of it",
    ),
    "octets behind a place": Case(
        body_signature("Case.Ten", b"ten octets come before this", offset="10"),
        b"0123456789ten octets come before this", b"012345678ten octets come before this",
    ),
    "octets at the end": Case(
        body_signature("Case.End", b"this stands at the very end", offset="EOF-27"),
        b"x this stands at the very end", b"this stands at the very end, not",
    ),
    "in a mail only": Case(
        body_signature("Case.Mail", b"only in the body of a mail", target="mail"),
        MAIL + b"only in the body of a mail\n", b"only in the body of a mail\n",
    ),
    "in a text, any case": Case(
        body_signature("Case.Text", b"a text without capitals", target="text"),
        b"A Text   WITHOUT\nCapitals", b"a text with capitals",
    ),
    "any octet": Case(
        body_signature("Case.Hole", b"one octet ", "??", b" is open here"), b"one octet 7 is open here",
        b"one octet 77 is open here",
    ),
    "half octets": Case(
        body_signature("Case.Nibble", b"digit ", "3?", b" and then ", "?1", b" here"), b"digit 7 and then A here",
        b"digit 7 and then B here",
    ),
    "any number": Case(
        body_signature("Case.Gap", b"begins like this", "*", b"ends like that"),
        b"begins like this" + b"x" * 500 + b"ends like that", b"ends like that begins like this",
    ),
    "four octets between": Case(
        body_signature("Case.Four", b"four octets", "{4}", b"stand between"), b"four octets1234stand between",
        b"four octets12345stand between",
    ),
    "two to four between": Case(
        body_signature("Case.TwoFour", b"two to four", "{2-4}", b"stand between"), b"two to four12stand between",
        b"two to four1stand between",
    ),
    "at most three between": Case(
        body_signature("Case.Three", b"at most three", "{-3}", b"stand between"), b"at most threestand between",
        b"at most three1234stand between",
    ),
    "at least three between": Case(
        body_signature("Case.Least", b"at least three", "{3-}", b"stand between"), b"at least three123stand between",
        b"at least three12stand between",
    ),
    "one octet behind": Case(
        body_signature("Case.Anchor", b"one octet follows soon", "[1-3]", b"!"), b"one octet follows soon12!",
        b"one octet follows soon1234!",
    ),
    "a choice": Case(
        body_signature("Case.Choice", b"the answer is ", "(79|6e)", b" today"), b"the answer is n today",
        b"the answer is m today",
    ),
    "not a choice": Case(
        body_signature("Case.Not", b"the reply is ", "!(79|6e)", b" today"), b"the reply is m today",
        b"the reply is n today",
    ),
    "a line of its own": Case(
        body_signature("Case.Line", "(L)", b"a line of its own, whole"), b"x\na line of its own, whole",
        b"x a line of its own, whole",
    ),
    "both parts": Case(
        logical_signature("Case.Both", b"a wire transfer", b"confidential"), b"confidential, a wire transfer",
        b"a wire transfer, no secret",
    ),
    "one of two, and a third": Case(
        logical_signature("Case.OneOf", b"first word", b"other word", b"and a third one", expression="(0|1)&2"),
        b"and a third one, other word", b"first word, other word",
    ),
    "either case": Case(
        logical_signature("Case.Case", Subsignature(b"written in any case".hex(), modifiers="i")),
        b"WRITTEN in ANY case", b"WRITTEN in ANY caze",
    ),
    "two octets a letter": Case(
        logical_signature("Case.Wide", Subsignature(b"two octets a letter".hex(), modifiers="w")),
        "two octets a letter".encode("utf-16-le"), b"two octets a letter",
    ),
    "exactly twice": Case(
        logical_signature("Case.Twice", b"say it exactly twice", b"a second part", expression="0=2&1"),
        b"say it exactly twice, say it exactly twice, a second part", b"say it exactly twice, a second part",
    ),
    "more than once": Case(
        logical_signature("Case.More", b"say it more often", b"another part", expression="0>1&1"),
        b"say it more often, say it more often, another part", b"say it more often, another part",
    ),
    "and not another": Case(
        logical_signature("Case.Without", b"this must be here ...", b"and this must not", expression="0&1=0"),
        b"this must be here ...", b"this must be here ... and this must not",
    ),
    "logic in a mail": Case(
        logical_signature("Case.LogicMail", b"two parts", b"of one mail only", target="mail"),
        MAIL + b"two parts of one mail only\n", b"two parts of one mail only\n",
    ),
    "a part at the end": Case(
        logical_signature("Case.PartEnd", Subsignature(b"a part at the end".hex(), offset="EOF-17")),
        b"x a part at the end", b"a part at the end, not",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def loaded() -> ClamdDaemon:
    """A real clamd that knows the signatures of all cases and nothing else."""
    signatures = [case.signature for case in CASES.values()]
    with ClamdDaemon(has_teaching_signatures=False, extra_signatures=signatures) as daemon:
        yield daemon


def test_clamd_loads_every_one(loaded: ClamdDaemon) -> None:
    """None of them is skipped in silence."""
    assert f"Loaded {len(CASES)} signatures.".encode() in loaded.log_path.read_bytes()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_built_signature_is_found(loaded: ClamdDaemon, case: Case) -> None:
    """The real clamd finds it in the file that it was made for."""
    assert loaded.client.scan_stream(case.found).signature == f"{case.signature.name}.UNOFFICIAL"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_near_miss_is_not_found(loaded: ClamdDaemon, case: Case) -> None:
    """One octet, one place, one count off: the real clamd finds nothing."""
    assert loaded.client.scan_stream(case.missed).verdict is Verdict.CLEAN


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_line_is_read_back_as_it_was_built(case: Case) -> None:
    """Reading a line is the reverse of building it."""
    assert parse_signature(case.signature.line, case.signature.database) == case.signature


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_character_of_the_line_is_explained(case: Case) -> None:
    """The fields' values, put together, are the line; each has a meaning and a source."""
    explained = case.signature.explain()

    rest = explained.line
    for one in explained.fields:
        before, value, rest = rest.partition(one.value)
        assert value == one.value
        assert re.fullmatch(r"[:;,]?(Engine:|Target:)?", before), before
        assert one.meaning
        assert one.source.startswith("ClamAV manual")
    assert rest in ("", ":73")


def test_hash_of_an_attachment_is_found_in_its_mail(loaded: ClamdDaemon, attachment: Callable[[bytes], bytes]) -> None:
    """Clamd takes the parts out of a mail and hashes each: the signature of the decoded file is enough."""
    assert loaded.client.scan_stream(attachment(OCTETS)).signature == "Case.Md5.UNOFFICIAL"


def test_explanation_shows_itself_in_a_terminal() -> None:
    """A sentence, then a row for each field, aligned."""
    shown = repr(body_signature("Lesson.Body", b"Dear customer", "{2-8}", b"invoice").explain())

    assert shown.splitlines() == [
        "A line for a .ndb file: a file must hold 20 fixed octets to be found.",
        f"name     Lesson.Body                 {NAME.meaning}",
        "target   0                           any file",
        "offset   *                           anywhere in the file",
        'pattern  4465617220637573746f6d6572  13 octets: "Dear customer"',
        "pattern  {2-8}                       any 2 to 8 octets",
        'pattern  696e766f696365              7 octets: "invoice"',
    ]


def test_explanation_is_escaped_in_html() -> None:
    """A name and octets full of markup stay text in a notebook."""
    signature = BodySignature("<script>alert(1)</script>", 0, "*", b"<img src=x onerror=1>".hex())

    shown = signature.explain()._repr_html_()

    assert "<script>" not in shown
    assert "<img" not in shown
    assert html.escape("<script>alert(1)</script>") in shown


def test_marker_does_not_stand_in_the_explanation_as_a_whole(eicar_octets: bytes) -> None:
    """A saved notebook that shows the signature of EICAR does not hold EICAR."""
    explained = body_signature("Lesson.Eicar", eicar_octets).explain()

    assert eicar_octets.decode() not in html.unescape(repr(explained) + explained._repr_html_())


@pytest.mark.parametrize(
    ("explained", "sentence"),
    [
        (hash_signature("A", b"x").explain(), "A line for a .hdb file: it finds this file and no other."),
        (
            BodySignature("A", 0, "*", b"FILE".hex()).explain(),
            f"A line for a .ndb file: a file must hold 4 fixed octets to be found. {CHANCE}",
        ),
    ],
    ids=["hash", "short"],
)
def test_sentence_says_how_sure_a_finding_is(explained: object, sentence: str) -> None:
    """A reader learns whether the signature may hit by chance."""
    assert repr(explained).splitlines()[0] == sentence


def test_four_octets_are_found_in_innocent_base64() -> None:
    """Why short markers are refused: the real clamd finds FILE in a random attachment."""
    octets = base64.b64decode(b"abcdFILEabcd")
    short = parse_signature("Lesson.Short:0:*:46494c45", "ndb")
    with ClamdDaemon(extra_signatures=[short]) as daemon:
        assert daemon.client.scan_stream(base64.encodebytes(octets)).signature == "Lesson.Short.UNOFFICIAL"


@pytest.mark.parametrize(
    "build",
    [
        lambda: body_signature("A", b"FILE"),
        lambda: body_signature("A", b"x" * 15),
        lambda: body_signature("A", b"x" * 8, "??" * 8, b"y" * 7),
        lambda: logical_signature("A", b"x" * 15),
        lambda: logical_signature("A", b"x" * 8, b"y" * 7),
        lambda: logical_signature("A", b"x" * 20, b"y" * 15, expression="0|1"),
        lambda: logical_signature("A", b"x" * 20, expression="0=0"),
        lambda: logical_signature("A", b"x" * 20, expression="0<3"),
        lambda: logical_signature("A", b"x" * 15, b"y" * 99, expression="0&(1<2)"),
    ],
    ids=["FILE", "15", "holes do not count", "15 of logic", "8 and 7", "the shorter of two", "never", "fewer", "less"],
)  # fmt: skip
def test_too_little_to_go_by_is_refused(build: Callable[[], object]) -> None:
    """What a file must hold is at least 16 octets, along the weakest way through the condition."""
    with pytest.raises(FormatError, match=r"at least 16 fixed octets|parentheses around"):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: body_signature("A", b"x" * 16),
        lambda: logical_signature("A", b"x" * 8, b"y" * 8),
        lambda: logical_signature("A", b"x" * 8, expression="0>1"),
        lambda: logical_signature("A", b"x" * 16, b"y" * 16, expression="0|1"),
    ],
    ids=["16", "8 and 8", "8 twice", "16 or 16"],
)
def test_sixteen_octets_are_enough(build: Callable[[], BodySignature | LogicalSignature]) -> None:
    """The other side of the limit."""
    assert build().evidence == 16


BAD = {
    "no octets": (lambda: hash_signature("A", b""), "at least one octet to hash"),
    "unknown hash": (lambda: hash_signature("A", b"x", algorithm="crc32"), "a hash function: md5, sha1, sha256"),
    "blank in a name": (lambda: hash_signature("a b", b"x"), "a signature name"),
    "colon in a name": (lambda: body_signature("a:b", b"x" * 16), "a signature name"),
    "semicolon in a name": (lambda: logical_signature("a;b", b"x" * 16), "a signature name"),
    "line end in a name": (lambda: body_signature("a\nb", b"x" * 16), "a signature name"),
    "no name": (lambda: body_signature("", b"x" * 16), "a signature name"),
    "long name": (lambda: body_signature("a" * 256, b"x" * 16), "a signature name"),
    "digest of 31 digits": (lambda: HashSignature("A", "0" * 31, 1), "a digest of 32, 40 or 64"),
    "digest not hexadecimal": (lambda: HashSignature("A", "g" * 32, 1), "a digest of 32, 40 or 64"),
    "size 0": (lambda: HashSignature("A", "0" * 32, 0), "a size above 0"),
    "nothing to look for": (lambda: body_signature("A"), "octets to look for"),
    "unused target": (lambda: body_signature("A", b"x" * 16, target=8), "a target: 0 (any), 1 (program-pe)"),
    "target of another clamd": (lambda: body_signature("A", b"x" * 16, target=99), "a target: "),
    "unknown target": (lambda: body_signature("A", b"x" * 16, target="Mail"), "a target: "),
    "capitals in text": (lambda: body_signature("A", b"Dear Customer, hello", target="text"), "no capital letters"),
    "capitals in html": (lambda: logical_signature("A", b"Dear Customer, hello", target=3), "no capital letters"),
    "offset of a word": (lambda: body_signature("A", b"x" * 16, offset="start"), "an offset: *, n, EOF-n"),
    "offset below 0": (lambda: body_signature("A", b"x" * 16, offset="-1"), "an offset: *, n, EOF-n"),
    "offset behind the end": (lambda: body_signature("A", b"x" * 16, offset="EOF+1"), "an offset: *, n, EOF-n"),
    "offset of any, shifted": (lambda: body_signature("A", b"x" * 16, offset="*,5"), "an offset: *, n, EOF-n"),
    "entry point of any file": (lambda: body_signature("A", b"x" * 16, offset="EP+0"), "for programs only"),
    "section of a mail": (lambda: body_signature("A", b"x" * 16, offset="S1+0", target=4), "for programs only"),
    "odd modifier": (lambda: Subsignature("00" * 16, modifiers="x"), "modifiers of the letters"),
    "no subsignature": (lambda: logical_signature("A"), "1 to 64 subsignatures"),
    "65 subsignatures": (lambda: logical_signature("A", *[b"x" * 16] * 65), "1 to 64 subsignatures"),
    "levels that are none": (lambda: LogicalSignature("A", 0, "0", (Subsignature("00" * 16),), "51"), "a range of"),
}  # fmt: skip


@pytest.mark.parametrize(("build", "expected"), BAD.values(), ids=BAD)
def test_bad_field_is_refused(build: Callable[[], object], expected: str) -> None:
    """What clamd would not load, or load and never find, is refused with what was expected."""
    with pytest.raises(FormatError, match=re.escape(expected)):
        build()


@pytest.mark.parametrize("number", TARGETS)
def test_targets_have_names_and_numbers(number: int) -> None:
    """A target is given by either; offsets from an entry point are for programs."""
    by_name = body_signature("A", b"x" * 16, target=TARGETS[number].name)

    assert by_name == body_signature("A", b"x" * 16, target=number)
    assert by_name.target == number


@pytest.mark.parametrize(
    ("offset", "meaning"),
    [
        ("*", "anywhere in the file"),
        ("0", "at the first octet of the file"),
        ("10,5", "10 octets behind the start, or up to 5 octets behind"),
        ("EOF-5", "5 octets before the end of the file"),
        ("EP+0", "from a program's entry point (EP) or section (S): EP+0"),
        ("SL+3,9", "from a program's entry point (EP) or section (S): SL+3, or up to 9 octets behind"),
    ],
)
def test_offset_is_said_in_words(offset: str, meaning: str) -> None:
    """The explanation says where the octets must begin."""
    fields = body_signature("A", b"x" * 16, offset=offset, target=1).explain().fields

    assert next(one.meaning for one in fields if one.name == "offset") == meaning
