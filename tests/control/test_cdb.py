"""tcp.smtp.cdb is written as tcprules writes it, read within bounds, and turned back into text."""

from __future__ import annotations

import io
import os
import stat
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import cdblib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.control import cdb as cdb_module
from indimail_kit.control.cdb import (
    MAX_EQUAL_HASHES,
    decode_cdb,
    decode_rules,
    encode_cdb,
    format_rules,
    is_cdb,
    open_rules,
    write_cdb,
)
from indimail_kit.control.tcprules import MAX_RULES_BYTES, Match, Record, Rules, parse_rules
from indimail_kit.errors import RulesError

DATA = Path(__file__).parent.parent / "data" / "indimail" / "tcprules"
TEXT = (DATA / "rules3.txt").read_bytes()
REAL = (DATA / "rules3.cdb").read_bytes()
PAIR = struct.Struct("<LL")

CLIENTS = (
    ("127.0.0.1", "", ""),
    ("10.0.0.2", "", ""),
    ("192.168.7.9", "joe", ""),
    ("192.168.1.1", "", ""),
    ("8.8.8.8", "joe", "mail.example.test"),
    ("8.8.8.8", "", "x.y.example.test"),
    ("8.8.8.8", "", "other.test"),
    ("2001:db8::1", "", ""),
    ("1.2.3.4", "", ""),
    ("9.9.9.9", "", ""),
)


def pairs(rules: Rules) -> list[tuple[bytes, bytes]]:
    """Return what a cdb holds of rules."""
    return [(record.key, record.octets) for record in rules.records]


def test_compiled_text_is_the_recorded_cdb_octet_for_octet() -> None:
    """The text gives the very octets that IndiMail's tcprules wrote, !VAR included."""
    assert encode_cdb(parse_rules(TEXT)) == REAL


@pytest.mark.parametrize(("ip", "info", "host"), CLIENTS)
def test_look_up_is_the_same_in_text_and_cdb(ip: str, info: str, host: str) -> None:
    """Rules.find gives the same from both; only the text knows the line."""
    from_text = parse_rules(TEXT).find(ip, info=info, host=host)
    from_cdb = decode_cdb(REAL).find(ip, info=info, host=host)
    assert (from_cdb.lines(), from_cdb.line_number) == (from_text.lines(), None)
    assert from_text.line_number is not None


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    """A cdb named .txt and a text named .cdb are read as what they are."""
    (tmp_path / "rules.txt").write_bytes(REAL)
    (tmp_path / "rules.cdb").write_bytes(TEXT)
    assert open_rules(tmp_path / "rules.txt").is_cdb
    text = open_rules(tmp_path / "rules.cdb")
    assert (text.is_cdb, text.source) == (False, str(tmp_path / "rules.cdb"))


def test_empty_file_is_neither_and_no_guess_is_made() -> None:
    """Nothing is no rules for tcprules and a broken cdb for tcpserver: refused."""
    with pytest.raises(RulesError, match="this is empty"):
        decode_rules(b"")


def test_cdb_without_records_allows_everybody() -> None:
    """The cdb of a text without rules has pointers only, and its look-up gives the default."""
    octets = encode_cdb(parse_rules("# nothing\n"))
    assert (len(octets), is_cdb(octets), decode_cdb(octets).find("192.0.2.1").is_default) == (2048, True, True)


def test_decompiled_text_compiles_to_the_same_cdb() -> None:
    """From cdb to text to cdb gives the recorded octets again."""
    assert encode_cdb(parse_rules(format_rules(decode_cdb(REAL)))) == REAL


def test_decompiled_text_is_for_people() -> None:
    """One rule a line, double quotes where they can be, another octet where not."""
    lines = format_rules(decode_cdb(REAL)).decode().splitlines()
    assert lines[0] == '127.0.0.1:allow,RELAYCLIENT=""'
    assert lines[1] == """10.0.0.1:allow,A="one",B="two,with,commas",C='it"s'"""
    assert '1.2.3.4:allow,X="x",!FOO,Y="y"' in lines


@pytest.mark.parametrize(
    "record",
    [
        Record(b"10.", b"+A=one\ntwo\0"),
        Record(b"#10.", b""),
        Record(b"10.0.0.1-3", b"D\0"),
        Record(b"10.:allow", b""),
        Record(b"10.", b"+A=x"),
        Record(b"10.", b"?\0"),
        Record(b"10.", b"-\0"),
        Record(b"10.", b"-A \0"),
        Record(b"10.", b"+A,B=x\0"),
        Record(b"10.", b"+A=" + bytes(range(1, 256)) + b"\0"),
        Record(b"10.", b"+A\0"),
    ],
    ids=lambda record: repr(record.key + record.octets[:8]),
)
def test_record_that_no_line_gives_is_refused(record: Record) -> None:
    """A record that cannot come from a text is an error that names its address, never a line that means another."""
    with pytest.raises(RulesError, match="a record that a line can hold"):
        format_rules(Rules((record,)))


def test_value_with_every_usual_quote_gets_an_unusual_one() -> None:
    """The quote is one that the value does not hold."""
    record = Record(b"10.", b"+A=\"'/|#%+~^*;:.\0")
    assert pairs(parse_rules(format_rules(Rules((record,))))) == pairs(Rules((record,)))


# -- files from strangers --------------------------------------------------------------------------------------------


def outcome_of(octets: bytes) -> object:
    """Return what a stranger's octets are: rules that can be asked, or an error of ours."""
    try:
        match = decode_rules(octets, source="stranger").find("10.0.0.2", info="joe", host="mail.example.test")
    except RulesError as error:
        return error
    return match


def test_cdb_cut_at_every_octet_is_refused() -> None:
    """The recorded cdb cut anywhere is refused, never taken for fewer rules."""
    outcomes = [outcome_of(REAL[:length]) for length in range(len(REAL))]
    assert [length for length, outcome in enumerate(outcomes) if not isinstance(outcome, RulesError)] == []


def test_cdb_with_something_behind_it_is_refused() -> None:
    """Octets behind the hash tables are no part of a cdb."""
    with pytest.raises(RulesError, match="fill the file"):
        decode_cdb(REAL + b"\0")


def test_every_flipped_bit_is_noticed_or_changes_a_record_only() -> None:
    """A flipped bit is refused with its place, or it changed a value; no rule vanishes."""
    keys = [record.key for record in decode_cdb(REAL).records]
    outcomes = []
    for bit in range(0, len(REAL) * 8, 7):
        octets = bytearray(REAL)
        octets[bit // 8] ^= 1 << bit % 8
        outcomes.append(keys_of(bytes(octets)))
    assert [outcome for outcome in outcomes if outcome != keys and outcome not in range(len(REAL) + 1)] == []
    assert keys in outcomes


def keys_of(octets: bytes) -> object:
    """Return the keys of a cdb, or the offset of what is wrong with it."""
    try:
        return [record.key for record in decode_cdb(octets).records]
    except RulesError as error:
        return error.offset


@given(st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_changed_octets_are_rules_or_refused(changes: list[tuple[int, int]]) -> None:
    """Whatever octets of a cdb are changed: an answer, or RulesError."""
    octets = bytearray(REAL)
    for at, value in changes:
        octets[at] = value
    assert isinstance(outcome_of(bytes(octets)), Match | RulesError)


@given(st.binary(max_size=64), st.binary(max_size=64), st.integers(0, 2100))
def test_any_octets_are_rules_or_refused(head: bytes, tail: bytes, zeros: int) -> None:
    """Whatever a file holds, pointers of any kind included: an answer, or RulesError."""
    assert isinstance(outcome_of(head + bytes(zeros) + tail), Match | RulesError)


def cdb_of(
    records: list[tuple[bytes, bytes]], table_of: Callable[[list[tuple[int, int]]], list[tuple[int, int]]]
) -> bytes:
    """Return a cdb whose hash tables are made by a function from (hash, position) of their records."""
    body, found = bytearray(), {}
    for key, value in records:
        hashed = cdblib.djb_hash(key)
        found.setdefault(hashed % 256, []).append((hashed, 2048 + len(body)))
        body += PAIR.pack(len(key), len(value)) + key + value
    pointers, tables = bytearray(), bytearray()
    for number in range(256):
        table = table_of(found[number]) if number in found else []
        pointers += PAIR.pack(2048 + len(body) + len(tables), len(table))
        tables += b"".join(PAIR.pack(*slot) for slot in table)
    return bytes(pointers + body + tables)


def placed(entries: list[tuple[int, int]], slots: int) -> list[tuple[int, int]]:
    """Return a hash table with its entries where a look-up finds them."""
    table = [(0, 0)] * slots
    for hashed, position in entries:
        at = (hashed >> 8) % slots
        while table[at][1]:
            at = (at + 1) % slots
        table[at] = (hashed, position)
    return table


SOME = [(b"10.", b"D\0"), (b"10.", b"+A=second\0"), (b"192.168.", b"+N=1\0"), (b"", b"+E=1\0")]


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_tables_of_other_writers_are_read(factor: int) -> None:
    """Full tables and roomy ones are both right; a full one would keep pure-cdb's reader busy for ever."""
    octets = cdb_of(SOME, lambda entries: placed(entries, factor * len(entries)))
    assert pairs(decode_cdb(octets)) == SOME


def test_pointer_of_an_empty_table_may_lead_anywhere() -> None:
    """Nobody asks where a table without slots is."""
    octets = bytearray(cdb_of(SOME, lambda entries: placed(entries, 2 * len(entries))))
    for number in range(256):
        if not PAIR.unpack_from(octets, number * 8)[1]:
            PAIR.pack_into(octets, number * 8, 0xFFFFFFFF, 0)
    assert pairs(decode_cdb(bytes(octets))) == SOME


@pytest.mark.parametrize(
    ("table_of", "expected"),
    [
        (lambda entries: placed(entries[:-1], 2 * len(entries)), "a record that its hash table knows"),
        (lambda entries: placed(entries[::-1], 2 * len(entries)), "found in their order"),
        (lambda entries: [(h, p + 1) for h, p in placed(entries, 2)], "an empty slot, or hash and position"),
        (lambda entries: [(h ^ 256, p) for h, p in placed(entries, 2)], "an empty slot, or hash and position"),
        (lambda entries: [(h, 0xFFFFFFF0) for h, _p in placed(entries, 2)], "an empty slot, or hash and position"),
    ],
    ids=["record without a slot", "second before first", "position beside", "wrong hash", "position outside"],
)
def test_hash_table_that_would_mislead_a_look_up_is_refused(
    table_of: Callable[[list[tuple[int, int]]], list[tuple[int, int]]], expected: str
) -> None:
    """A record that tcpserver would not find, or would find too early, is an error with its place."""
    with pytest.raises(RulesError, match=expected) as caught:
        decode_cdb(cdb_of(SOME[:2], table_of), source="x.cdb")
    assert (caught.value.source, caught.value.exit_code) == ("x.cdb", 111)
    assert caught.value.offset is not None


def test_slot_behind_an_empty_one_is_refused() -> None:
    """A look-up ends at an empty slot, so tcpserver would not see the rule behind it."""
    hashed = cdblib.djb_hash(b"10.") >> 8

    def apart(entries: list[tuple[int, int]]) -> list[tuple[int, int]]:
        table = [(0, 0)] * 4
        table[(hashed + 1) % 4] = entries[0]
        return table

    with pytest.raises(RulesError, match="a slot that a look-up reaches"):
        decode_cdb(cdb_of(SOME[:1], apart))


@pytest.mark.parametrize(
    ("at", "pair", "expected"),
    [
        (0, (2047, 1), "a hash table between"),
        (0, (0xFFFFFFFF, 0xFFFFFFFF), "a hash table between"),
        (0, (2048, 0x1FFFFFFF), "a hash table between"),
        (2048, (0xFFFFFFFF, 0), "a record that ends before"),
        (2048, (3, 0xFFFFFFFF), "a record that ends before"),
    ],
    ids=["inside the pointers", "far outside", "too long", "long key", "long value"],
)
def test_pointer_or_length_that_leads_outside_says_where(at: int, pair: tuple[int, int], expected: str) -> None:
    """What leads out of the file is refused with the place of the number, before anything is read there."""
    octets = bytearray(REAL)
    PAIR.pack_into(octets, at, *pair)
    with pytest.raises(RulesError, match=expected) as caught:
        decode_cdb(bytes(octets))
    assert caught.value.offset == at


def test_tables_that_overlap_are_refused_at_once() -> None:
    """256 pointers to one huge table are not walked 256 times."""
    octets = PAIR.pack(2048, 2**17) * 256 + bytes(2**20)
    with pytest.raises(RulesError, match="fill the file"):
        decode_cdb(octets)


def test_file_without_an_end_is_refused() -> None:
    """/dev/zero is read to the limit and refused."""
    with pytest.raises(RulesError, match=f"at most {MAX_RULES_BYTES}"):
        open_rules("/dev/zero")


@pytest.mark.parametrize("name", ["missing", "directory", "nul\0name"])
def test_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    """No traceback: the error names the file and what the system said."""
    (tmp_path / "directory").mkdir()
    with pytest.raises(RulesError, match="that can be read") as caught:
        open_rules(tmp_path / name)
    assert caught.value.source == str(tmp_path / name)


# -- writing ---------------------------------------------------------------------------------------------------------


def test_written_cdb_is_the_recorded_one_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    """The file has the recorded octets, mode 0644, and the directory holds nothing else."""
    target = tmp_path / "tcp.smtp.cdb"
    assert write_cdb(parse_rules(TEXT), target) == len(REAL)
    assert target.read_bytes() == REAL
    assert [path.name for path in tmp_path.iterdir()] == ["tcp.smtp.cdb"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_cdb_that_was_kept_from_others_stays_so(tmp_path: Path) -> None:
    """The mode of the old cdb is kept: rules may hold passwords."""
    target = tmp_path / "tcp.smtp.cdb"
    write_cdb(parse_rules(":deny"), target)
    target.chmod(0o600)
    write_cdb(parse_rules(TEXT), target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [TEXT, b"x", b"Subject: hello\n"], ids=["rules", "one octet", "a mail"])
def test_file_that_is_no_cdb_is_never_replaced(tmp_path: Path, content: bytes) -> None:
    """Arguments that changed places do not cost the text of the rules."""
    target = tmp_path / "tcp.smtp"
    target.write_bytes(content)
    with pytest.raises(RulesError, match="what is there is no cdb"):
        write_cdb(parse_rules(TEXT), target)
    assert target.read_bytes() == content


def test_empty_file_may_be_replaced(tmp_path: Path) -> None:
    """A cdb that was only touched so far is no loss."""
    (tmp_path / "tcp.smtp.cdb").touch()
    assert write_cdb(parse_rules(TEXT), tmp_path / "tcp.smtp.cdb") == len(REAL)


def test_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    """A link in place of the cdb is refused, and the error says where it leads."""
    real, link = tmp_path / "real.cdb", tmp_path / "tcp.smtp.cdb"
    write_cdb(parse_rules(":deny"), real)
    before = real.read_bytes()
    link.symlink_to(real)
    with pytest.raises(RulesError, match=r"this one leads to .*real\.cdb"):
        write_cdb(parse_rules(TEXT), link)
    assert (link.is_symlink(), real.read_bytes()) == (True, before)


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A directory or a FIFO in place of the cdb is refused, without waiting."""
    target = tmp_path / "tcp.smtp.cdb"
    {"directory": target.mkdir, "fifo": lambda: os.mkfifo(target)}[kind]()
    with pytest.raises(RulesError, match="no cdb"):
        write_cdb(parse_rules(TEXT), target)


def test_directory_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """The error names the path and what the system said."""
    with pytest.raises(RulesError, match="a place where a cdb can be written"):
        write_cdb(parse_rules(TEXT), tmp_path / "no" / "tcp.smtp.cdb")


def test_failed_write_leaves_the_old_cdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old cdb is as it was, and no part of a new one is left."""
    target = tmp_path / "tcp.smtp.cdb"
    write_cdb(parse_rules(":deny"), target)
    before = target.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RulesError, match="No space left"):
        write_cdb(parse_rules(TEXT), target)
    assert (target.read_bytes(), [path.name for path in tmp_path.iterdir()]) == (before, ["tcp.smtp.cdb"])


def test_reader_sees_the_old_cdb_or_the_new_one(tmp_path: Path) -> None:
    """While the cdb is written again and again, every reading gives one of the two."""
    target = tmp_path / "tcp.smtp.cdb"
    texts = (parse_rules(TEXT), parse_rules(":deny"))
    write_cdb(texts[0], target)
    done = threading.Event()

    def write() -> None:
        for turn in range(30):
            write_cdb(texts[turn % 2], target)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(tuple(pairs(open_rules(target))))
    writer.join()
    assert seen <= {tuple(pairs(rules)) for rules in texts}


def test_too_many_rules_for_one_address_are_refused() -> None:
    """Each further rule of one address makes every look-up longer; at the limit they are written, above not."""
    assert len(decode_cdb(encode_cdb(parse_rules(":deny\n" * MAX_EQUAL_HASHES))).records) == MAX_EQUAL_HASHES
    with pytest.raises(RulesError, match="rules for one address"):
        encode_cdb(parse_rules(":deny\n" * (MAX_EQUAL_HASHES + 1)))


def test_rules_that_pure_cdb_would_lose_are_refused() -> None:
    """Of two addresses whose hash is 0 pure-cdb keeps one; that is noticed and refused, not written."""
    keys = (b"oov05gq", b"s9l0a7e")
    assert [cdblib.djb_hash(key) for key in keys] == [0, 0]
    with pytest.raises(RulesError, match="hash 0"):
        encode_cdb(Rules(tuple(Record(key, b"") for key in keys)))


names = st.text(st.characters(min_codepoint=0x41, max_codepoint=0x5A), min_size=1, max_size=4)
values = st.binary(max_size=12).map(lambda octets: octets.replace(b"\n", b"").replace(b"\0", b""))
addresses = st.sampled_from(["", "10.", "10.0.0.1", "10.0.0.1-3", "=", "=.example.com", "joe@10.0.0.1", "::1", "a b"])


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Make a text of rules."""
    lines = []
    for _line in range(draw(st.integers(0, 6))):
        line = (draw(addresses) + ":" + draw(st.sampled_from(["allow", "deny"]))).encode()
        for _change in range(draw(st.integers(0, 3))):
            if draw(st.booleans()):
                line += b",!" + draw(names).encode()
            else:
                value = draw(values)
                quote = next(bytes((octet,)) for octet in b"\"'/|^" if octet not in value)
                line += b"," + draw(names).encode() + b"=" + quote + value + quote
        lines.append(line)
    return b"\n".join([b"# rules", *lines])


@given(texts())
@settings(max_examples=200)
def test_text_to_cdb_and_back_keeps_every_record(text: bytes) -> None:
    """Any rules: compiled, read, written as text and compiled again give the same records and the same cdb."""
    rules = parse_rules(text)
    octets = encode_cdb(rules)
    assert pairs(decode_cdb(octets)) == pairs(rules)
    assert encode_cdb(parse_rules(format_rules(decode_cdb(octets)))) == octets


@given(texts())
def test_pure_cdbs_own_reader_finds_what_we_find(text: bytes) -> None:
    """An independent reader of a good cdb gives the same records."""
    octets = encode_cdb(parse_rules(text))
    assert list(cdblib.Reader(octets).items()) == pairs(decode_cdb(octets))


def test_written_by_pure_cdb_alone_is_read() -> None:
    """A cdb of another program, not of rules, is read record for record."""
    buffer = io.BytesIO()
    with cdblib.Writer(buffer) as writer:
        for number in range(500):
            writer.put(b"key%d" % number, b"x" * number)
    records = decode_cdb(buffer.getvalue()).records
    assert [(record.key, len(record.octets)) for record in records] == [(b"key%d" % n, n) for n in range(500)]


def test_only_one_module_knows_pure_cdb() -> None:
    """No other module of the package imports it, so that it can be exchanged in one place."""
    package = Path(cdb_module.__file__).parents[1]
    users = [path.name for path in package.rglob("*.py") if "cdblib" in path.read_text(encoding="utf-8")]
    assert users == ["cdb.py"]
