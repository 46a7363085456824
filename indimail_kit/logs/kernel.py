"""The frequent lines of qmail-send and todo-proc, read octet by octet: written to be compiled, right without.

Nine forms make up nearly every line of a log. They are recognised here as `grammar` reads them and in their plainest
shape only: a line that differs in any way is left UNREAD, and the grammar says what it is. A test checks over recorded,
generated and mutated lines that both say the same of every line.

Source: `send_forms`, each function with the form it follows.

Rule 1: the functions take and give numbers and arrays only, and call each other only: `speed` compiles all of
KERNELS together, or runs them as they are.
Rule 2: a position is an octet of the block; a function that reads returns the position behind, or FAILED.
Rule 3: a doubt is a line for the grammar, never a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from indimail_kit.logs.kernel_codes import (
    BOUNCE_MSG,
    BYTES,
    CHANNEL,
    DELIVERY,
    END,
    END_MSG,
    ENDED,
    INFO_MSG,
    KIND,
    LABEL,
    LOCAL_MAX,
    LOCAL_USED,
    MESSAGE,
    NEW_MSG,
    NO_TIME,
    OUTCOME,
    QP,
    QUEUE,
    RECIPIENT,
    REMOTE_MAX,
    REMOTE_USED,
    REPORT,
    RUN,
    SENDER,
    START,
    STARTING,
    STATUS,
    TEXT,
    TO_COUNT,
    TODO_FILE,
    TODO_RECIPIENT,
    UID,
    UNIX_NS,
    UNREAD,
)
from indimail_kit.logs.kernel_labels import FAILED, civil_at, digits_at, hex_at, label_at

if TYPE_CHECKING:
    Octets = Any  # of a block: an array when compiled, bytes when not
    Table = Any  # array of int64, one row a line, with the columns of `kernel_codes`

MAX_NAMES: Final = 256
"""Most names of queues in one block that are read here; lines with others are the grammar's."""

NAME_OCTETS: Final = 64
"""Longest name of a queue that is read here (unit: octets)."""

_MAX_DIGITS: Final = 18  # as fields.MAX_DIGITS
_MAX_LINE: Final = 64 * 1024  # as blocks.MAX_LINE_BYTES
_BLANK, _COLON = 32, 58


def word_at(octets: Octets, at: int, end: int, word: bytes) -> int:
    """Read a word."""
    if at < 0 or end - at < len(word):
        return FAILED
    for index in range(len(word)):
        if octets[at + index] != word[index]:
            return FAILED
    return at + len(word)


def number_at(octets: Octets, at: int, end: int) -> tuple[int, int]:
    """Read a number as `fields` has it: no leading zero, at most 18 digits; return it and the position behind."""
    if at < 0:
        return 0, FAILED
    value = 0
    begin = at
    while at < end and 48 <= octets[at] <= 57:
        value = value * 10 + octets[at] - 48
        at += 1
        if at - begin > _MAX_DIGITS:
            return 0, FAILED
    if at == begin or (octets[begin] == 48 and at - begin > 1):
        return 0, FAILED
    return value, at


def token_end(octets: Octets, at: int, end: int) -> int:
    """Return the position of the next blank, or the end."""
    while at < end and octets[at] != _BLANK:
        at += 1
    return at


def name_code(octets: Octets, at: int, end: int, names: Any, name_sizes: Any) -> int:
    """Return the position of a queue's name among the names of the block, and note a new one; FAILED if it is odd.

    Source: `fields.FIELDS["queue"]`.
    """
    size = end - at
    if not 0 < size <= NAME_OCTETS:
        return FAILED
    code = 1  # 0 is the queue without a name
    while code < MAX_NAMES and name_sizes[code] > 0:
        if name_sizes[code] == size:
            index = 0
            while index < size and names[code, index] == octets[at + index]:
                index += 1
            if index == size:
                return code
        code += 1
    if code == MAX_NAMES:
        return FAILED
    for index in range(size):
        octet = octets[at + index]
        if not 33 <= octet <= 126 or octet == _COLON:
            return FAILED
    for index in range(size):
        names[code, index] = octets[at + index]
    name_sizes[code] = size
    return code


def queue_at(octets: Octets, at: int, end: int, names: Any, name_sizes: Any) -> int:
    """Return the code of « {queue}» at the end of the line: 0 if it is not there, FAILED if something else is."""
    if at == end:
        return 0
    if at < 0 or octets[at] != _BLANK:
        return FAILED
    return name_code(octets, at + 1, end, names, name_sizes)


def delivery_at(octets: Octets, at: int, end: int) -> tuple[int, int]:
    """Read {delivery_number}«.{queue_number}»: and the colon behind."""
    number, at = number_at(octets, at, end)
    if 0 <= at < end and octets[at] == 46:
        _, at = number_at(octets, at + 1, end)
    return number, word_at(octets, at, end, b":")


def read_status(octets: Octets, at: int, end: int, row: Any) -> int:
    """``status: local {local_used}/{local_max} remote {remote_used}/{remote_max}``; return the position behind."""
    at = word_at(octets, at, end, b"status: local ")
    row[LOCAL_USED], at = number_at(octets, at, end)
    row[LOCAL_MAX], at = number_at(octets, word_at(octets, at, end, b"/"), end)
    row[REMOTE_USED], at = number_at(octets, word_at(octets, at, end, b" remote "), end)
    row[REMOTE_MAX], at = number_at(octets, word_at(octets, at, end, b"/"), end)
    return FAILED if at >= 0 and end - at > 1 and octets[at + 1] == 40 else at  # not "(held)"


def read_starting(octets: Octets, at: int, end: int, row: Any) -> int:
    """``starting delivery {delivery_number}«.{queue_number}»: msg {message_number} to {channel} {recipient}``."""
    row[DELIVERY], at = delivery_at(octets, word_at(octets, at, end, b"starting delivery "), end)
    row[MESSAGE], at = number_at(octets, word_at(octets, at, end, b" msg "), end)
    behind = word_at(octets, at, end, b" to local ")
    row[CHANNEL] = 0
    if behind < 0:
        behind = word_at(octets, at, end, b" to remote ")
        row[CHANNEL] = 1
    if behind < 0:
        return FAILED
    row[RECIPIENT] = behind
    row[RECIPIENT + 1] = token_end(octets, behind, end)
    return int(row[RECIPIENT + 1])


def read_ended(octets: Octets, at: int, end: int, row: Any) -> int:
    """``delivery {delivery_number}«.{queue_number}»: {outcome}: {report}``."""
    row[DELIVERY], at = delivery_at(octets, word_at(octets, at, end, b"delivery "), end)
    behind = word_at(octets, at, end, b" success: ")
    row[OUTCOME] = 0
    if behind < 0:
        behind = word_at(octets, at, end, b" deferral: ")
        row[OUTCOME] = 2
    if behind < 0:
        behind = word_at(octets, at, end, b" failure: ")
        row[OUTCOME] = 1
    if behind < 0:
        return FAILED
    row[REPORT] = behind
    row[REPORT + 1] = token_end(octets, behind, end)
    return int(row[REPORT + 1])


def read_info(octets: Octets, at: int, end: int, row: Any) -> int:
    """``info msg {message_number}: bytes {message_bytes} from <{sender}> qp {qp} uid {uid}``, with or without <>."""
    row[MESSAGE], at = number_at(octets, word_at(octets, at, end, b"info msg "), end)
    row[BYTES], at = number_at(octets, word_at(octets, at, end, b": bytes "), end)
    begin = word_at(octets, at, end, b" from ")
    if begin < 0:
        return FAILED
    behind = token_end(octets, begin, end)
    row[QP], at = number_at(octets, word_at(octets, behind, end, b" qp "), end)
    row[UID], at = number_at(octets, word_at(octets, at, end, b" uid "), end)
    if behind > begin and octets[begin] == 60:
        begin, behind = begin + 1, behind - 1
        if behind < begin or octets[behind] != 62:
            return FAILED
    elif behind == begin:
        return FAILED
    row[SENDER], row[SENDER + 1] = begin, behind
    return at


def read_message(octets: Octets, at: int, end: int, row: Any, word: bytes) -> int:
    """Read a word and {message_number}."""
    row[MESSAGE], at = number_at(octets, word_at(octets, at, end, word), end)
    return at


def read_bounce(octets: Octets, at: int, end: int, row: Any) -> int:
    """``bounce msg {message_number} qp {qp}``."""
    at = read_message(octets, at, end, row, b"bounce msg ")
    row[QP], at = number_at(octets, word_at(octets, at, end, b" qp "), end)
    return at


def address_at(octets: Octets, at: int, end: int, row: Any, column: int) -> int:
    """Read a raw address without blanks and the blank behind; ``<>`` is the empty one."""
    if at < 0:
        return FAILED
    behind = token_end(octets, at, end)
    if behind in (at, end):
        return FAILED
    row[column], row[column + 1] = at, behind
    if behind - at == 2 and octets[at] == 60 and octets[at + 1] == 62:
        row[column + 1] = at
    return behind + 1


def read_todo_recipient(octets: Octets, at: int, end: int, row: Any) -> int:
    """``{channel}: {raw_sender} {raw_recipient} {message_number} {message_bytes} bytes``, no blank in an address."""
    row[CHANNEL] = 1 if octets[at] == 114 else 0
    at = word_at(octets, at, end, b"remote: " if octets[at] == 114 else b"local: ")
    at = address_at(octets, address_at(octets, at, end, row, SENDER), end, row, RECIPIENT)
    row[MESSAGE], at = number_at(octets, at, end)
    row[BYTES], at = number_at(octets, word_at(octets, at, end, b" "), end)
    return word_at(octets, at, end, b" bytes")


def without_mode(octets: Octets, at: int, end: int) -> int:
    """Return the end of the line without `` opendir mode`` or `` mqueue mode``, if a queue's name stands before it."""
    behind = end - 13 if word_at(octets, end - 13, end, b" opendir mode") == end else end - 12
    is_there = behind > at + 1 and (end - behind == 13 or word_at(octets, behind, end, b" mqueue mode") == end)
    return behind if at >= 0 and is_there else end


def read_todo_file(octets: Octets, at: int, end: int, row: Any, names: Any, name_sizes: Any) -> int:
    """``info: todo-proc: {queue}: subdir={subdirectory} fn={directory}/{message_number}``."""
    begin = word_at(octets, at, end, b"info: todo-proc: ")
    if begin < 0:
        return FAILED
    behind = token_end(octets, begin, end) - 1
    at = word_at(octets, behind, end, b": subdir=")
    if at < 0:
        return FAILED
    row[QUEUE] = name_code(octets, begin, behind, names, name_sizes)
    at = word_at(octets, token_end(octets, at, end), end, b" fn=")
    if at < 0 or row[QUEUE] < 0:
        return FAILED
    slash = FAILED
    for index in range(at, end):
        if octets[index] == 47:
            slash = index
        elif octets[index] in (_BLANK, 62):
            return FAILED
    row[MESSAGE], at = number_at(octets, slash + 1 if slash >= 0 else FAILED, end)
    return at if at == end else FAILED


def read_text(octets: Octets, at: int, end: int, row: Any, names: Any, name_sizes: Any) -> int:
    """Read a line behind its stamp into its row; return its kind, or UNREAD."""
    first = octets[at]
    kind = UNREAD
    if first == 115 and end - at > 8 and octets[at + 3] == 116:
        kind, at = STATUS, read_status(octets, at, end, row)
    elif first == 115:
        kind, at = STARTING, read_starting(octets, at, end, row)
    elif first == 100:
        kind, at = ENDED, read_ended(octets, at, end, row)
    elif first == 110:
        kind, at = NEW_MSG, read_message(octets, at, end, row, b"new msg ")
    elif first == 101:
        kind, at = END_MSG, read_message(octets, at, end, row, b"end msg ")
        if 0 <= at < end:
            at = word_at(octets, at, end, b" qmail-send: ") - 1
            at = FAILED if at < 0 else at
    elif first == 98:
        kind, at = BOUNCE_MSG, read_bounce(octets, at, end, row)
    elif first in (108, 114):
        kind, at = TODO_RECIPIENT, read_todo_recipient(octets, at, end, row)
        end = without_mode(octets, at, end)
    elif first == 105 and end - at > 4 and octets[at + 4] == _COLON:
        return TODO_FILE if read_todo_file(octets, at, end, row, names, name_sizes) >= 0 else UNREAD
    elif first == 105:
        kind, at = INFO_MSG, read_info(octets, at, end, row)
    if kind == UNREAD or at < 0:
        return UNREAD
    row[QUEUE] = queue_at(octets, at, end, names, name_sizes)
    return kind if row[QUEUE] >= 0 else UNREAD


def scan(octets: Octets, ends: Any, table: Table, names: Any, name_sizes: Any) -> int:
    """Read the lines of a block into its table; return how many are UNREAD.

    Args:
        octets: The block.
        ends: Positions of the line ends.
        table: Room for as many rows; every cell -1.
        names: Room for MAX_NAMES names of NAME_OCTETS octets.
        name_sizes: Their lengths (unit: octets), 0 where there is none; at first all 0.
    """
    start, unread = 0, 0
    for index in range(len(ends)):
        row = table[index]
        end = ends[index]
        row[START], row[END] = start, end
        label, unix_ns, at = label_at(octets, start, end)
        kind = UNREAD
        if 0 <= at < end and end - start <= _MAX_LINE:
            kind = read_text(octets, at, end, row, names, name_sizes)
        if kind == UNREAD:
            for column in range(TEXT, len(row)):
                row[column] = -1
            row[UNIX_NS] = NO_TIME
            unread += 1
        else:
            row[TEXT], row[LABEL], row[UNIX_NS], row[RUN] = at, label, unix_ns, TO_COUNT
        row[KIND] = kind
        start = end + 1
    return unread


KERNELS: Final = (
    word_at, number_at, token_end, hex_at, digits_at, civil_at, label_at,
    name_code, queue_at, delivery_at, read_status, read_starting,
    read_ended, read_info, read_message, read_bounce, address_at, read_todo_recipient, without_mode, read_todo_file,
    read_text, scan,
)  # fmt: skip
"""What is compiled, each behind those that it calls."""
