"""What may stand in a field of a log line: one name, one meaning, in every form.

Source: IndiMail indimail-mta-x/qmail-send.c, todo-proc.c, qsutil.c `logsafe()`, smtpd.c; ClamAV clamd/scanner.c,
freshclam.

Rule 1: a name that is also a column of `tables.schemas.EVENTS` means the same there.
Rule 2: no pattern holds a group or a nested quantifier.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

MAX_DIGITS: Final = 18
"""Most digits of a number that we read (unit: digits): 18 always fit into 64 bits with a sign."""


class FieldKind(Enum):
    """How a field's octets become a value."""

    NUMBER = "number"
    OCTETS = "octets"
    FLAG = "flag"


_SAFE: Final = bytes(
    ord("/") if octet == ord("\n") else octet if 0x21 <= octet <= 0x7E and octet != ord("%") else ord("_")
    for octet in range(256)
)

_ESCAPED: Final = re.compile(r"\\x[0-9a-f]{2}")
"""An octet that is no UTF-8, as our tables write it."""


def logsafe(octets: bytes) -> bytes:
    r"""Clean octets as qmail-send does before it logs an address or a report.

    A line end becomes ``/``; blanks, control characters, octets above 126 and ``%`` become ``_``; what follows a NUL is
    lost.

    Source:
        IndiMail qsutil.c `logsafe()`, `issafe()`; todo-proc.c `comm_info()`.

    Example:
        >>> logsafe(b"Sorry, 100% full.\n")
        b'Sorry,_100__full./'
    """
    return octets.partition(b"\0")[0].translate(_SAFE)


def cleaned(address: str) -> str:
    r"""Return an address as qmail-send logs it, in lower case: what two logs can be compared by.

    Example:
        >>> cleaned("Ann Doe@example.com") == cleaned("ann_doe@EXAMPLE.com")
        True
    """
    return logsafe(_ESCAPED.sub("_", address).encode("utf-8", "replace")).decode("ascii").lower()


def one_line(octets: bytes) -> bytes:
    """Return octets as a program logs them that cleans nothing, but on one line.

    Deviation:
        The real todo-proc logs a line end inside an address as it is, so that a sender can forge log lines; here it is
        ``/``.
    """
    return octets.partition(b"\0")[0].replace(b"\n", b"/")


def _same(octets: bytes) -> bytes:
    return octets


def _or_brackets(octets: bytes) -> bytes:
    return octets or b"<>"


def _without_brackets(octets: bytes) -> bytes:
    return b"" if octets == b"<>" else octets


@dataclass(frozen=True, slots=True)
class FieldType:
    """What may stand in a field and what it means.

    Attributes:
        pattern: Regular expression of the octets, without groups.
        meaning: One phrase for a person.
        kind: How the octets become a value.
        clean: What the program does to foreign octets before it writes them; something may be lost.
        write: How the program writes the cleaned octets; nothing is lost.
        read: The reverse of write.
        word: The word of a flag.
    """

    pattern: bytes
    meaning: str
    kind: FieldKind = FieldKind.OCTETS
    clean: Callable[[bytes], bytes] = _same
    write: Callable[[bytes], bytes] = _same
    read: Callable[[bytes], bytes] = _same
    word: bytes = b""


def _number(meaning: str, sign: bytes = b"") -> FieldType:
    return FieldType(sign + b"(?:0|[1-9][0-9]{0,%d})" % (MAX_DIGITS - 1), meaning, FieldKind.NUMBER)


def _flag(word: bytes, meaning: str) -> FieldType:
    return FieldType(re.escape(word), meaning, FieldKind.FLAG, word=word)


def _word(meaning: str, pattern: bytes = b"[!-~]+") -> FieldType:
    return FieldType(pattern, meaning)


def _safe(meaning: str, pattern: bytes = b"[^ ]*") -> FieldType:
    return FieldType(pattern, meaning, clean=logsafe)


def _raw(meaning: str, pattern: bytes = b".*") -> FieldType:
    return FieldType(pattern, meaning, clean=one_line)


def _raw_address(meaning: str, pattern: bytes) -> FieldType:
    return FieldType(pattern, meaning, clean=one_line, write=_or_brackets, read=_without_brackets)


FIELDS: Final[Mapping[str, FieldType]] = {
    # a message and its deliveries
    "message_number": _number("number of the message in its queue: the inode of mess/N"),
    "message_bytes": _number("size of the message with its Received line (octets)"),
    "sender": _safe("envelope sender, cleaned"),
    "bare_sender": _safe("envelope sender, cleaned, logged without angle brackets", b"[^ <][^ ]*"),
    "raw_sender": _raw_address("envelope sender as it is", b"[^ ]+"),
    "recipient": _safe("envelope recipient, cleaned"),
    "raw_recipient": _raw_address("envelope recipient as it is, with its blanks", b".+"),
    "qp": _number("long-term queue identifier: process id of qmail-queue"),
    "uid": _number("user id of who queued the message"),
    "delivery_number": _number("number of the delivery; starts at 1 with each qmail-send"),
    "queue_number": _number("number of the queue behind the delivery number, under qscheduler only"),
    "channel": _word("local or remote", b"local|remote"),
    "outcome": _word("how the delivery ended", b"success|failure|deferral"),
    "report": _safe("what the delivery program said, cleaned"),
    "bounce_rank": _word("double or triple", b"double|triple"),
    # concurrency
    "local_used": _number("local deliveries under way"),
    "local_max": _number("most local deliveries at once"),
    "local_held": _flag(b"(held)", "local deliveries are held"),
    "remote_used": _number("remote deliveries under way"),
    "remote_max": _number("most remote deliveries at once"),
    "remote_held": _flag(b"(held)", "remote deliveries are held"),
    "delayed_jobs": _number("deliveries that wait because of a rate limit"),
    "exitasap": _flag(b"exitasap", "qmail-send exits when its deliveries have ended"),
    # programs and queues
    "queue": _word("name of the queue: the last part of its directory", b"[!-9;-~]+"),
    "glued_queue": _word("queue name that belongs to the line before", b"[!-9;-~]{1,64}?"),
    "queue_directory": _word("directory of the queue", b"[!-~]+"),
    "pid": _number("process id of the program that the line is about"),
    "severity": _word("how bad it is", b"alert|warning|warn|info|status"),
    "program": _word("program that the line is from", b"[A-Za-z][0-9A-Za-z_-]*"),
    "send_program": _word("program that delivers", b"qmail-send|slowq-send|qmta-send"),
    "todo_program": _word("program that preprocesses", b"todo-proc|qmail-todo|slowq-send|qmta-send"),
    "signal": _word("name of the signal", b"[A-Z][0-9A-Z]*"),
    "split": _number("sub-directories of mess, intd, todo, info, local and remote"),
    "chunk": _number("messages that todo-proc takes at once"),
    "bigtodo": _word("is todo split too", b"[0-9a-z]+"),
    "todo_processor": _word("is there a todo-proc", b"[A-Z]+"),
    "ratelimit": _word("are there rate limits", b"ON|OFF"),
    "loglock": _word("do the programs lock the log", b"enabled|disabled"),
    "todo_mode": _word("how todo-proc learns of a message", b"opendir|mqueue|compat"),
    "subdirectory": _word("sub-directory of todo", b"[^ ]*"),
    "directory": _word("directory of the message's file", b"[^ >]*"),
    "wrong_split": _flag(b"incorrect split", "the file is in the wrong sub-directory"),
    "bounce_file": _word("file of the bounce", b"[^ >]*"),
    "exit_code": _number("exit code"),
    "domain": _word("domain of the recipients", b"[^ ]+"),
    "rate": _word("count/rate now/rate allowed", b"[^] ]*"),
    "seconds": _number("time (s)"),
    "scheduler_mode": _word("static or dynamic", b"static|dynamic"),
    "queue_start": _number("number of the first queue"),
    "queue_count": _number("queues started"),
    "queue_limit": _number("queues configured"),
    "slot_count": _number("messages that a message queue holds"),
    "slot_bytes": _number("size of a message of a message queue (octets)"),
    "queue_change": _word("what became of the queue's qmail-send", b"started|died|killed"),
    # SMTP sessions
    "remote_ip": _word("address of the client", b"[0-9A-Fa-f:.]*[0-9A-Fa-f]|unknown"),
    "remote_host": _word("name of the client", b"[^[ ]*"),
    "remote_port": _number("port of the client"),
    "local_host": _word("name of the server", b"[^[ ]*"),
    "local_ip": _word("address of the server", b"[0-9A-Fa-f:.]+"),
    "local_port": _number("port of the server"),
    "helo": _raw("what the client calls itself"),
    "smtp_sender": _raw("MAIL FROM, as it is", b"[^>]*"),
    "smtp_recipient": _raw("RCPT TO, as it is", b"[^>]*"),
    "auth": _raw("why this client may send here: user and mechanism, local-rcpt or auth-ip/pop", b"[^>]*"),
    "auth_user": _raw("who the client says it is"),
    "auth_status": _number("exit code of the password checker, or a negative number of qmail-smtpd's", b"-?"),
    "mechanism": _word("SASL mechanism"),
    "bogosity": _raw("the spam filter's verdict, with a blank before it", b" X-Bogosity[^<]*"),
    "tls": _word("No or the version of TLS", b"[0-9A-Za-z._-]+"),
    "reply_text": _raw("what qmail-queue's exit code means", b"[^<]*"),
    "permanence": _word("permanent or temporary", b"permanent|temporary"),
    "smtp_verb": _word("SMTP command", b"HELO|MAIL"),
    "subject": _word("what is invalid", b"[A-Za-z ]+"),
    "content": _raw("name of the banned content", b"[^<]*"),
    "connections": _number("connections now"),
    "connection_limit": _number("most connections at once"),
    "max_per_ip": _number("most connections of one address at once"),
    "tls_switch": _word("is TLS on", b"[a-z]+"),
    "sql_switch": _word("are the rules in a database", b"[A-Z]+"),
    "encryption": _word("is the session encrypted", b"un-encrypted|encrypted|[A-Za-z-]+"),
    "wait_status": _number("status of the ended child"),
    # scanner and its signatures
    "scan_path": _raw("what was scanned", b"(?:/|instream|stream|fd\\[).*"),
    "failed_path": _raw(
        "what could not be scanned; ends at the first colon and blank", b"(?:/|instream|stream|fd\\[)(?:[^:]|:(?! ))*"
    ),
    "scan_file": _raw("path of a file"),
    "signature": _word("name of the signature", b"[^ (]+"),
    "digest": _word("digest of what was scanned", b"[0-9a-f]{32,128}"),
    "scanned_bytes": _number("size of what was scanned (octets)"),
    "signature_count": _number("signatures known"),
    "database": _word("file of the signature database", b"[0-9A-Za-z_.-]+"),
    "database_version": _word("version of the signature database", b"[^,()]+"),
    "flevel": _number("functionality level that the database needs"),
    "builder": _word("who built the database", b"[^,()]+"),
    "setting": _word("a setting", b"[A-Z][ -~]{0,120}"),
    "on_off": _word("enabled or disabled", b"enabled|disabled"),
    "update_state": _word("is it current", b"is up to date|is up-to-date"),
    "remark": _raw("the rest of the line"),
    "successes": _number("deliveries that succeeded so far"),
    "deferrals": _number("deliveries that were deferred so far"),
    "failures": _number("deliveries that failed so far"),
}
"""Field -> what may stand there."""
