"""qmail-queue's exit codes as one table: number, name, permanent or temporary, SMTP reply.

Source: IndiMail indimail-mta-x/qmail.h (numbers), qmail.c `qmail_close()` (replies: the first letter D or Z tells
permanent
or temporary and is not sent). The manual qmail-queue(8) gives older meanings for 62 … 67; the program is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ExitCode:
    """One way for qmail-queue to end.

    Attributes:
        number: The exit code, 0 … 255.
        name: Short name in the kit, for people and tests.
        reply_text: What qmail-smtpd sends behind the reply code.
    """

    number: int
    name: str
    reply_text: str

    @property
    def is_permanent(self) -> bool:
        """Say whether the client must not try again (11 … 40 and 115)."""
        return 11 <= self.number <= 40 or self.number == 115

    @property
    def reply_code(self) -> int:
        """Return the SMTP reply code: 250, 554 (permanent) or 451 (temporary)."""
        if self.number == 0:
            return 250
        return 554 if self.is_permanent else 451

    @property
    def smtp_reply(self) -> str:
        """Return the SMTP reply line without its end."""
        return f"{self.reply_code} {self.reply_text}"


OK: Final = 0
TOO_LONG: Final = 11
PERMANENT_REJECT: Final = 31
VIRUS: Final = 33
SCANNER_PRIVILEGE: Final = 50
MEMORY: Final = 51
TIMEOUT: Final = 52
WRITE: Final = 53
READ: Final = 54
CONFIG: Final = 55
PIPE: Final = 60
CHDIR: Final = 61
MESS_FILE: Final = 62
FSYNC: Final = 64
INTD_FILE: Final = 65
LINK_TODO: Final = 66
LINK_MESS: Final = 67
TEMPORARY_FILES: Final = 68
SYNCDIR: Final = 69
PID_FILE: Final = 70
TEMPORARY_REJECT: Final = 71
QHPSI: Final = 77
ENVELOPE: Final = 79
UNLINK_INTD: Final = 80
BUG: Final = 81
UNLINK_PID: Final = 83
CUSTOM: Final = 88
CRASHED: Final = 123

_ROWS: Final = (
    (OK, "ok", "ok"),
    (TOO_LONG, "address too long", "qq envelope address too long (#5.1.3)"),
    (PERMANENT_REJECT, "permanent reject", "qq mail server permanently rejected message (#5.3.0)"),
    (32, "spam", "qq spam or junk mail threshold exceeded (#5.7.1)"),
    (VIRUS, "virus", "qq message contains virus (#5.7.1)"),
    (34, "banned attachment", "qq message contains banned attachment (#5.7.1)"),
    (35, "no private key", "qq private key file does not exist (#5.3.5)"),
    (41, "dup", "qq trouble duplicating file descriptors (#4.3.0)"),
    (SCANNER_PRIVILEGE, "no privilege for scanner", "qq unable to get privilege to run virus scanner (#4.3.0)"),
    (MEMORY, "out of memory", "qq out of memory (#4.3.0)"),
    (TIMEOUT, "timeout", "qq timeout (#4.3.0)"),
    (WRITE, "write error", "qq write error or disk full (#4.3.0)"),
    (READ, "read error", "qq read error (#4.3.0)"),
    (CONFIG, "configuration", "qq unable to read configuration (#4.3.0)"),
    (56, "network", "qq trouble making network connection (#4.3.0)"),
    (57, "plugin open", "qq unable to open shared object/plugin (#4.3.0)"),
    (58, "plugin symbol", "qq unable to resolve symbol in shared object/plugin (#4.3.0)"),
    (59, "plugin close", "qq unable to close shared object/plugin (#4.3.0)"),
    (PIPE, "pipe", "qq trouble creating pipes/sockets (#4.3.0)"),
    (CHDIR, "chdir to queue", "qq trouble in home directory (#4.3.0)"),
    (MESS_FILE, "mess file", "qq unable to access mess file (#4.3.0)"),
    (63, "chdir to root", "qq trouble doing cd to root directory (#4.3.0)"),
    (FSYNC, "fsync", "qq trouble syncing message to disk (#4.3.0)"),
    (INTD_FILE, "intd file", "qq trouble creating files in intd. (#4.3.0)"),
    (LINK_TODO, "link todo", "qq trouble linking todofn to intdfn (#4.3.0)"),
    (LINK_MESS, "link mess", "qq trouble linking messfn to pidfn (#4.3.0)"),
    (TEMPORARY_FILES, "temporary files", "qq trouble creating temporary files (#4.3.0)"),
    (SYNCDIR, "sync directory", "qq trouble syncing dir to disk (#4.3.0)"),
    (PID_FILE, "pid file", "qq trouble with pid file (#4.3.0)"),
    (TEMPORARY_REJECT, "temporary reject", "qq mail server temporarily rejected message (#4.3.0)"),
    (72, "connection timed out", "qq connection to mail server timed out (#4.4.1)"),
    (73, "connection rejected", "qq connection to mail server rejected (#4.4.1)"),
    (74, "communication failed", "qq communication with mail server failed (#4.4.2)"),
    (75, "exec failed", "qq unable to exec (#4.3.0)"),
    (76, "spam filter", "qq temporary problem with SPAM filter (#4.3.0)"),
    (QHPSI, "QHPSI scanner", "qq unable to run QHPSI scanner (#4.3.0)"),
    (78, "uid/gid", "qq trouble getting uids/gids (#4.3.0)"),
    (ENVELOPE, "envelope format", "qq envelope format error (#4.3.0)"),
    (UNLINK_INTD, "unlink intd", "qq trouble removing intdfn"),
    (BUG, "internal bug", "qq internal bug (#4.3.0)"),
    (82, "exec qmail-queue", "qq unable to exec qq (#4.3.0)"),
    (UNLINK_PID, "unlink pid", "qq temporary problem (#4.3.0)"),
    (87, "misconfigured", "qq mail system incorrectly configured. (#4.3.5)"),
    (CUSTOM, "custom text", "qq temporary problem (#4.3.0)"),
    (91, "internal bug", "qq internal bug (#4.3.0)"),
    (115, "address too long", "qq envelope address too long (#5.1.3)"),
    (120, "exec qmail-queue", "qq unable to exec qq (#4.3.0)"),
    (121, "fork", "qq unable to fork (#4.3.0)"),
    (122, "waitpid", "qq waitpid surprise (#4.3.0)"),
    (CRASHED, "crashed", "qq crashed (#4.3.0)"),
)

EXIT_CODES: Final = {number: ExitCode(number, name, text) for number, name, text in _ROWS}
"""Every exit code that has a meaning of its own."""


def exit_code(number: int) -> ExitCode:
    """Return the row of an exit code; a number without one is a permanent or temporary problem by its range.

    Example:
        >>> exit_code(33).smtp_reply
        '554 qq message contains virus (#5.7.1)'
        >>> exit_code(99).smtp_reply
        '451 qq temporary problem (#4.3.0)'
    """
    known = EXIT_CODES.get(number)
    if known is not None:
        return known
    unknown = ExitCode(number, "unknown", "")
    text = "qq permanent problem (#5.3.0)" if unknown.is_permanent else "qq temporary problem (#4.3.0)"
    return ExitCode(number, "unknown", text)


_CUSTOM_TEXTS: Final = {
    TOO_LONG: "envelope address too long",
    VIRUS: "qhpsi: message contains virus",
    SCANNER_PRIVILEGE: "qhpsi: unable to get privilege to queue messages",
    MEMORY: "out of memory",
    TIMEOUT: "timer expired",
    CONFIG: "unable to read configuration",
    CHDIR: "trouble doing cd to queue directory",
    MESS_FILE: "unable to stat messfn",
    FSYNC: "trouble syncing message to disk",
    INTD_FILE: "trouble creating files in intd",
    LINK_TODO: "trouble linking todofn to intdfn",
    LINK_MESS: "trouble linking messfn to pidfn",
    SYNCDIR: "trouble syncing dir to disk",
    PID_FILE: "trouble creating pid file",
    QHPSI: "qhpsi: unable to run QHPSI scanner",
    ENVELOPE: "envelope format error",
    BUG: "internal bug",
    UNLINK_PID: "trouble unlinking pid file",
    CRASHED: "qhpsi: qmail-queue crashed",
}
"""Exit code -> what qmail-queue says of it with QMAIL_QUEUE_CUSTOM_ERROR. Source: qmail-queue.c, calls of `die()`."""

_CUSTOM_TEXTS_BY_KIND: Final = {
    (WRITE, "mess"): "trouble writing message",
    (WRITE, "intd"): "trouble writing envelope",
    (READ, "mess"): "trouble reading message",
    (READ, "intd"): "trouble reading envelope",
}
"""(exit code, kind of the file at hand) -> the same, where it tells message and envelope apart."""


def custom_error(number: int, *, kind: str = "", detail: str = "") -> str:
    """Return what qmail-queue writes on fd 2 before it ends with 88, when QMAIL_QUEUE_CUSTOM_ERROR asks for it.

    Args:
        number: The exit code that it would have had.
        kind: Kind of the queue file at hand: mess, intd.
        detail: Text of the system call that failed, or "".

    Returns:
        The text of the reply behind ``Z``, which makes every one of them temporary, a virus included.

    Source:
        qmail-queue.c `die()`, custom_error.c `custom_error()`.

    Deviation:
        The real program adds the text of whatever errno holds, often "not a socket" from an earlier question.

    Example:
        >>> custom_error(61, detail="No such file or directory")
        'Zqmail-queue: trouble doing cd to queue directory: No such file or directory (#4.3.0)'
    """
    text = _CUSTOM_TEXTS_BY_KIND.get((number, kind)) or _CUSTOM_TEXTS.get(number) or exit_code(number).name
    return f"Zqmail-queue: {text}{': ' if detail else ''}{detail} (#4.3.0)"
