"""tcp.smtp.cdb: the rules as tcpserver reads them; read within bounds, written in one step, and turned back into text.

::

    2048 octets         256 pairs of (position, slots): where each hash table is
    records             length of key, length of value, key, value; one after the other
    hash tables         slots of (hash, position of a record); position 0 is an empty slot

Source: cdb.txt of D. J. Bernstein; IndiMail libqmail cdb.c `cdb_findnext()`, cdb_make.c; ucspi-tcp-x tcprules.c.

Note for maintainers: pure-cdb gives the hash and the writer. Its reader is not used: it trusts the file, cuts off
silently what leads outside of it, and never ends on a table without an empty slot (docs/decisions/0006-cdb.md).

Rule 1: a file from a stranger is walked once from end to end, in linear time; what leads outside is an error that says
where. A record that a look-up would not find is an error too: tcpserver would not see the rule.
Rule 2: a text with an error writes nothing, and what is in place of a cdb and is none is never replaced.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import cdblib

from indimail_kit.control.files import problem_of, read_beginning, replace_file
from indimail_kit.control.tcprules import MAX_RULES_BYTES, POINTERS_BYTES, Record, Rules, parse_rules
from indimail_kit.errors import RulesError

UNREADABLE: Final = 111
"""Exit code of tcprulescheck for a cdb that it cannot read, and of tcprules for one that it cannot write."""

MAX_EQUAL_HASHES: Final = 1000
"""Most records of one address that are written; ours: each takes one step more, and only the first counts."""

_CDB_MODE: Final = 0o644
_PAIR: Final = struct.Struct("<LL")
_TABLES: Final = 256
_QUOTES: Final = bytes((*b"\"'/|#%+~^*;:.", *(octet for octet in range(1, 256) if octet not in b"\"'/|#%+~^*;:.\n,=")))
"""Octets that may stand around a value in a text, the usual ones first."""


class _Table(NamedTuple):
    """One hash table: number, position of its first slot, count of slots, position of its pointer."""

    number: int
    position: int
    slots: int
    pointer: int


def open_rules(path: str | Path) -> Rules:
    """Read rules from a text or a cdb; the content decides which it is, not the name.

    Raises:
        RulesError: The file cannot be read, breaks its grammar or is empty.
    """
    return decode_rules(read_rules_file(path), source=str(path))


def read_rules_file(path: str | Path) -> bytes:
    """Return the octets of a file of rules, within bounds.

    Raises:
        RulesError: The file cannot be read, or has more than MAX_RULES_BYTES octets.
    """
    try:
        octets = read_beginning(path, MAX_RULES_BYTES)
    except (OSError, ValueError) as error:
        problem = problem_of(error)
    else:
        if len(octets) > MAX_RULES_BYTES:
            raise RulesError(f"at most {MAX_RULES_BYTES} octets of rules", exit_code=UNREADABLE, source=str(path))
        return octets
    raise RulesError(f"a file of rules that can be read ({problem})", exit_code=UNREADABLE, source=str(path))


def decode_rules(octets: bytes, *, source: str = "") -> Rules:
    """Read rules from the octets of a text or a cdb.

    Raises:
        RulesError: They break their grammar, or there are none: tcprules takes an empty text for no rules, tcpserver
            an empty cdb for a broken one.

    Example:
        >>> rules = parse_rules("10.:deny")
        >>> decode_rules(encode_cdb(rules)).find("10.0.0.1").action, decode_rules(b"10.:deny").is_cdb
        ('deny', False)
    """
    if not octets:
        raise RulesError("a rule or a comment in a text, 2048 octets in a cdb; this is empty", source=source)
    return decode_cdb(octets, source=source) if is_cdb(octets) else parse_rules(octets, source=source)


def is_cdb(octets: bytes) -> bool:
    """Say whether octets begin as a cdb does: with a NUL in the first pair, which a text of rules has no use for."""
    return b"\0" in octets[: _PAIR.size]


def decode_cdb(octets: bytes, *, source: str = "") -> Rules:
    """Read the records of a cdb, each of which a look-up finds.

    Raises:
        RulesError: The octets are no cdb; offset says where.
    """
    try:
        tables, end = _decode_pointers(octets)
        records = dict(_decode_records(octets, end))
        _check_tables(octets, tables, records)
    except RulesError as error:
        raise RulesError(error.expected, exit_code=UNREADABLE, offset=error.offset, source=source) from None
    return Rules(tuple(records.values()), source=source, is_cdb=True)


def encode_cdb(rules: Rules) -> bytes:
    """Return the octets of the cdb, the same as tcprules writes.

    Raises:
        RulesError: An address has more than MAX_EQUAL_HASHES rules. Or a record could not be found: pure-cdb takes a
            slot whose hash is 0 for an empty one, and one key in four thousand million has that hash.
    """
    hashes = Counter(cdblib.djb_hash(record.key) for record in rules.records)
    if max(hashes.values(), default=0) > MAX_EQUAL_HASHES:
        raise RulesError(f"at most {MAX_EQUAL_HASHES} rules for one address", source=rules.source)
    buffer = io.BytesIO()
    with cdblib.Writer(buffer) as writer:
        for record in rules.records:
            writer.put(record.key, record.octets)
    octets = buffer.getvalue()
    with suppress(RulesError):
        decode_cdb(octets)
        return octets
    raise RulesError("addresses of which no two share the hash 0, which pure-cdb cannot keep", source=rules.source)


def write_cdb(rules: Rules, path: str | Path) -> int:
    """Write a cdb in place of an old one; a reader sees the old one or the new one. Return its size in octets.

    Args:
        rules: The rules of a text.
        path: The cdb. Its directory must exist.

    Raises:
        RulesError: The path is a link or holds something that is no cdb (a text of rules, say), or cannot be written.

    Deviation:
        An old cdb's mode is kept; tcprules gives the new one 0644, and who could not read the rules then can.
    """
    target = Path(path)
    octets = encode_cdb(rules)
    try:
        objection = _objection_to(target)
        if not objection:
            replace_file(target, octets, mode=_mode_of(target))
            return len(octets)
    except (OSError, ValueError) as error:
        objection = f"a place where a cdb can be written ({problem_of(error)})"
    raise RulesError(objection, exit_code=UNREADABLE, source=str(target))


def format_rules(rules: Rules) -> bytes:
    r"""Return the text that compiles to the same records, in the same order; ranges stay one line a number.

    Raises:
        RulesError: A record cannot come from a text, as a value with a line end in it.

    Example:
        >>> format_rules(parse_rules("10.0.0.1-2:allow,A='1',!B"))
        b'10.0.0.1:allow,A="1",!B\n10.0.0.2:allow,A="1",!B\n'
    """
    return b"".join(_format_record(record, rules.source) for record in rules.records)


def _decode_pointers(octets: bytes) -> tuple[list[_Table], int]:
    """Return the hash tables that have slots, and where the records end."""
    if len(octets) < POINTERS_BYTES:
        raise RulesError(f"{POINTERS_BYTES} octets of pointers", offset=len(octets))
    tables = []
    for number in range(_TABLES):
        pointer = number * _PAIR.size
        position, slots = _PAIR.unpack_from(octets, pointer)
        if not slots:
            continue  # where a table without slots is, nobody asks
        if not POINTERS_BYTES <= position <= len(octets) - slots * _PAIR.size:
            raise RulesError(f"a hash table between octet {POINTERS_BYTES} and the end of the file", offset=pointer)
        tables.append(_Table(number, position, slots, pointer))
    end = min((table.position for table in tables), default=POINTERS_BYTES)
    if sum(table.slots for table in tables) * _PAIR.size != len(octets) - end:
        raise RulesError("hash tables that fill the file behind the records", offset=end)
    return tables, end


def _decode_records(octets: bytes, end: int) -> Iterator[tuple[int, Record]]:
    """Yield each record with its position."""
    at = POINTERS_BYTES
    while at < end:
        if at + _PAIR.size > end:
            raise RulesError("two lengths at the beginning of a record", offset=at)
        key_bytes, value_bytes = _PAIR.unpack_from(octets, at)
        key_at = at + _PAIR.size
        value_at = key_at + key_bytes
        following = value_at + value_bytes
        if following > end:
            raise RulesError("a record that ends before the hash tables begin", offset=at)
        yield at, Record(octets[key_at:value_at], octets[value_at:following])
        at = following


def _check_tables(octets: bytes, tables: list[_Table], records: dict[int, Record]) -> None:
    """Refuse slots that lead to no record, and records that a look-up does not find, or finds too early."""
    missing = dict.fromkeys(records)
    nearest: dict[bytes, tuple[int, int]] = {}
    for table in tables:
        for distance, hashed, position, slot_at in _occupied_slots(octets, table):
            record = records.get(position)
            if record is None or cdblib.djb_hash(record.key) != hashed or hashed % _TABLES != table.number:
                raise RulesError("an empty slot, or hash and position of a record of this table", offset=slot_at)
            missing.pop(position, None)
            nearest[record.key] = min(nearest.get(record.key, (distance, position)), (distance, position))
    for position in missing:
        raise RulesError("a record that its hash table knows", offset=position)
    first: dict[bytes, int] = {}
    for position, record in records.items():
        if nearest[record.key][1] != first.setdefault(record.key, position):
            raise RulesError("records of one key that are found in their order", offset=position)


def _occupied_slots(octets: bytes, table: _Table) -> Iterator[tuple[int, int, int, int]]:
    """Yield of each slot that is not empty (steps that a look-up takes to it, hash, position of the record, offset).

    A look-up ends at an empty slot, so one that lies behind an empty slot is never reached.
    """
    pairs = [_PAIR.unpack_from(octets, table.position + slot * _PAIR.size) for slot in range(table.slots)]
    empty = next((slot for slot, (_hashed, position) in enumerate(pairs) if not position), None)
    run = table.slots if empty is None else 0
    for step in range(table.slots):
        slot = (step + (empty or 0)) % table.slots
        hashed, position = pairs[slot]
        if not position:
            run = 0
            continue
        distance = (slot - (hashed >> 8)) % table.slots
        slot_at = table.position + slot * _PAIR.size
        if distance > run:
            raise RulesError("a slot that a look-up reaches", offset=slot_at)
        run = min(run + 1, table.slots)
        yield distance, hashed, position, slot_at


def _objection_to(target: Path) -> str:
    """Say why a path is no place for a cdb: a link, or something that is no cdb (arguments that changed places)."""
    if target.is_symlink():
        return f"no link (this one leads to {target.readlink()}; give that path)"
    if target.exists() and not (target.is_file() and is_cdb(read_beginning(target, _PAIR.size) or b"\0")):
        return "a cdb, or no file yet; what is there is no cdb"
    return ""


def _mode_of(target: Path) -> int:
    """Return the mode of the file that is replaced: one that was kept from others stays so."""
    return target.stat().st_mode & 0o777 if target.exists() else _CDB_MODE


def _format_record(record: Record, source: str) -> bytes:
    """Return the line of a record; that it gives the same record is tried, not hoped."""
    line = _line_of(record)
    try:
        same = parse_rules(line).records
    except RulesError:
        same = ()
    if [(one.key, one.octets) for one in same] != [(record.key, record.octets)]:
        name = record.key.decode("utf-8", "backslashreplace")
        raise RulesError(f"a record that a line can hold; that of {name!r} is none", source=source)
    return line


def _line_of(record: Record) -> bytes:
    """Return the line that a record would have come from."""
    is_denied = record.octets.startswith(b"D\0")
    line = bytearray(record.key + (b":deny" if is_denied else b":allow"))
    for entry in _entries(record.octets[2 * is_denied :]):
        name, equals, value = entry[1:].partition(b"=")
        if entry.startswith(b"-"):
            line += b",!" + entry[1:]
        else:
            quote = next((bytes((octet,)) for octet in _QUOTES if octet not in value), b"")
            line += b"," + name + equals + quote + value + quote
    return bytes(line) + b"\n"


def _entries(octets: bytes) -> Iterator[bytes]:
    """Yield the entries of a record; what begins with neither + nor - came from a NUL in the value before it."""
    entry = bytearray()
    for part in octets.split(b"\0")[:-1]:
        if part.startswith((b"+", b"-")):
            if entry:
                yield bytes(entry)
            entry = bytearray(part)
        else:
            entry += b"\0" + part
    if entry:
        yield bytes(entry)
