"""The octets of a queue file as records with their fields: lossless, and safe to look at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.mailqueue import QueueFile
from indimail_kit.qhpsi import eicar
from indimail_kit.widgets.queue_bytes import (
    FIELDS,
    MAX_RECORD_BYTES,
    MAX_SHOWN_BYTES,
    RECORD_KINDS,
    fields_legend_html,
    file_bytes_html,
    octets_html,
    records_of,
)


def queue_file(octets, *, kind="todo", size_bytes=None, **changes):
    """Return a file with these octets."""
    size_bytes = len(octets) if size_bytes is None else size_bytes
    fields = {"is_truncated": size_bytes > len(octets)} | changes
    return QueueFile(
        kind=kind, path=f"{kind}/16/660188", inode=660188, links=1, size_bytes=size_bytes, mode=0o644, uid=0, gid=0,
        mtime_ns=0, atime_ns=0, ctime_ns=0, content=octets, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "octets", "letters"),
    [
        pytest.param("todo", b"u1\0p2\0Fa@b\0Tc@d\0Te@f\0eX: y\n\0hZ\0", "upFTTeh", id="an envelope"),
        pytest.param("info", b"Fann@example.com\0eX: y\n\0", "Fe", id="info"),
        pytest.param("info", b"F\0", "F", id="empty sender"),
        pytest.param("local", b"Tann\0Dbob\0", "TD", id="a channel"),
        pytest.param("remote", b"Tann\0Xbob\0", "T?", id="a letter that no channel has"),
        pytest.param("local", b"uann\0", "?", id="an envelope's letter in a channel"),
        pytest.param("todo", b"Dann\0", "?", id="a channel's letter in an envelope"),
        pytest.param("todo", b"Fa\0Fb\0", "F?", id="a second sender"),
        pytest.param("todo", b"Fa\0Fa\0", "F?", id="the same sender twice"),
        pytest.param("todo", b"u0x\0p\0", "??", id="a uid that is no number"),
        pytest.param("todo", b"\0\0", "??", id="empty records"),
        pytest.param("intd", b"u1\0Fann@exa", "uF", id="cut in the sender"),
        pytest.param("intd", b"", "", id="empty"),
    ],
)
def test_each_record_has_its_field(kind, octets, letters):
    """The letter where the reader of envelopes understands it, a question mark where it does not."""
    assert "".join(one.letter for one in records_of(kind, octets)) == letters


@given(st.sampled_from(RECORD_KINDS), st.lists(st.sampled_from([b"T", b"F", b"u1", b"\0", b"\n", b"\xff", b"x"])))
def test_no_octet_is_lost(kind, parts):
    """Put together again, the records are the file, and each stands where it says."""
    octets = b"".join(parts)
    records = records_of(kind, octets)

    assert b"".join(one.octets + b"\0" * one.is_ended for one in records) == octets
    assert [octets[one.start : one.start + len(one.octets)] for one in records] == [one.octets for one in records]


def test_a_record_without_its_nul_says_so():
    """What was cut, or is still being written, is not taken for whole."""
    last = records_of("intd", b"u1\0Fann@exa")[-1]

    assert (last.is_ended, last.meaning) == (False, "envelope sender; its NUL is missing: unfinished, or cut")


def test_an_unknown_letter_is_named_even_when_it_is_no_letter():
    r"""A control character in a letter's place is written out: \x1b."""
    assert records_of("todo", b"\x1b[2J\0")[0].meaning == r"letter \x1b is not understood, kept as it is"


@pytest.mark.parametrize(
    ("octets", "reading"),
    [
        (b"Tm\xc3\xbcller@example.com\0", "müller@example.com"),
        (b"Tm\xfcller@example.com\0", ""),
        (b"Tann@example.com\0", ""),
    ],
)
def test_eight_bit_addresses_are_read_beside(octets, reading):
    """The octets are shown as octets; where they are UTF-8, the address stands beside them."""
    assert records_of("remote", octets)[0].reading == reading


@given(st.binary(max_size=80))
def test_octets_reach_html_as_printable_ascii_only(octets):
    """Whatever an address holds, nothing but printable ASCII and our own elements come out."""
    assert all(0x20 <= ord(one) <= 0x7E for one in str(octets_html(octets)))


def test_a_typed_escape_differs_from_the_octet_itself():
    r"""Four typed characters "\x1b" are not marked, the octet is."""
    assert ("ik-hidden-char" in str(octets_html(rb"\x1b")), "ik-hidden-char" in str(octets_html(b"\x1b"))) == (
        False,
        True,
    )


def test_header_lines_of_a_record_stand_on_lines_of_their_own():
    """An e record of two lines is two lines on the screen, each with its line feed."""
    shown = str(octets_html(b"X-QHPSI: clean\nX-Quarantine-ID: q\n"))

    assert (shown.count("ik-queue-octets"), shown.count(r"\x0a")) == (2, 2)


def test_hostile_addresses_stay_text(hostile_strings, strangers):
    """Markup, control characters and surrogates in records and in a bounce's text are shown, not done."""
    shown = []
    for text in hostile_strings[::4]:
        octets = text.encode("utf-8", "surrogatepass").replace(b"\0", b"")
        for kind, content in (("todo", b"F" + octets + b"\0T" + octets + b"\0" + octets), ("bounce", octets)):
            shown.append(str(file_bytes_html(queue_file(content, kind=kind))))

    assert [
        found for start in range(0, len(shown), 100) if (found := strangers("".join(shown[start : start + 100])))
    ] == []


@pytest.mark.parametrize(
    ("file", "says"),
    [
        pytest.param(queue_file(b""), "It is empty: nothing was written yet.", id="empty"),
        pytest.param(queue_file(b"", is_regular=False), "It is no regular file, so it was not opened.", id="a FIFO"),
        pytest.param(
            queue_file(b"Ta\0", kind="local", size_bytes=200_000),
            "Only its first 3 of 200,000 octets were read.",
            id="longer than is read",
        ),
        pytest.param(
            queue_file(b"x" * (MAX_SHOWN_BYTES + 5), kind="bounce"), "5 more octets are not shown.", id="a long bounce"
        ),
        pytest.param(
            queue_file(b"T" + b"a" * (MAX_RECORD_BYTES + 7) + b"\0", kind="local"),
            "… 7 more octets",
            id="a long record",
        ),
        pytest.param(
            queue_file(b"Ta\0" * (MAX_SHOWN_BYTES // 16 + 9), kind="local"),
            "9 more records are not shown.",
            id="many records",
        ),
    ],
)
def test_what_is_left_out_is_said(file, says, parse):
    """Every cap has its sentence with the number."""
    assert says in parse(str(file_bytes_html(file))).text


def test_a_full_file_is_small_enough_for_a_browser():
    """64 KiB of the worst octets: alternating hidden and plain ones, in records of one octet or of all."""
    worst = [b"T" + b"a\x01" * 32_000 + b"\0", b"\x01\0" * 32_768, b"T" + b"\n" * 65_000 + b"\0"]

    assert [size for one in worst if (size := len(str(file_bytes_html(queue_file(one))))) > 500_000] == []


def test_the_legend_has_every_letter(parse):
    """What is drawn is explained."""
    text = parse(str(fields_legend_html())).text

    assert [one.letter for one in FIELDS.values() if one.meaning not in text] == []


def test_the_test_virus_is_seen_whole_and_saved_in_two_pieces(parse):
    """A queue may hold an infected mail; a notebook that shows it must not become one."""
    shown = str(octets_html(b"Subject: hi\n\n" + eicar() + b"\n"))

    assert (eicar().decode() in shown, eicar().decode() in parse(shown).text) == (False, True)
