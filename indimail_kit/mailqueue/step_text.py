"""One sentence for each step of a tape.

Source: qmail's INTERNALS sections 3 to 5; IndiMail qmail-queue.c, todo-proc.c, qmail-send.c, qmail-clean.c.

Rule 1: a table, (call, kind of file) -> sentence; a step that is not in it is still told, in its bare form.
"""

from __future__ import annotations

from typing import Final

from indimail_kit.visible import visible

SENTENCES: Final = {
    ("chdir", "."): "qmail-queue enters the queue directory.",
    ("open", "pid"): "A new file in pid, under a name that nobody else has.",
    ("fstat", "pid"): "Its inode number becomes the number of the message.",
    ("link", "mess"): "The file gets a second name, mess/…/NUMBER: number and inode are one.",
    ("unlink", "pid"): "The name in pid goes; the file stays, as mess/…/NUMBER.",
    ("write", "mess"): "The Received line and the message are written.",
    ("scan", "mess"): "The scanner reads the message.",
    ("open", "intd"): "A file for the envelope.",
    ("write", "intd"): "The envelope is written: u, p, F and a T for each recipient.",
    ("fsync", "mess"): "The octets of the message are on the disk now; its name need not be.",
    ("fdatasync", "mess"): "The octets of the message are on the disk now; its times and its name need not be.",
    ("fsync", "intd"): "The octets of the envelope are on the disk now; its name need not be.",
    ("fdatasync", "intd"): "The octets of the envelope are on the disk now; its times and its name need not be.",
    ("fsyncdir", "mess"): "The name mess/…/NUMBER is on the disk now.",
    ("link", "todo"): "The envelope gets a second name, todo/…/NUMBER: from here on the message is queued.",
    ("fsyncdir", "todo"): "The name todo/…/NUMBER is on the disk now.",
    ("trigger", "lock"): "todo-proc is woken; without that it would look into todo a little later.",
    ("truncate", "intd"): "qmail-queue gives up: it empties the envelope …",
    ("truncate", "mess"): "… it empties the message …",
    ("unlink", "intd"): "The name in intd goes.",
    ("unlink", "mess"): "The message goes, and its number may be given again at once.",
    ("open", "info"): "todo-proc makes the file for the sender.",
    ("write", "info"): "The sender is written; the time of this file is the birth of the message.",
    ("fsync", "info"): "The octets of info are on the disk now.",
    ("fsyncdir", "info"): "The name of info is on the disk now.",
    ("open", "local"): "todo-proc makes the file for the recipients who live here.",
    ("write", "local"): "The recipients who live here are written, each with T: not done.",
    ("fsync", "local"): "The octets of local are on the disk now.",
    ("fsyncdir", "local"): "The name of local is on the disk now.",
    ("open", "remote"): "todo-proc makes the file for the recipients elsewhere.",
    ("write", "remote"): "The recipients elsewhere are written, each with T: not done.",
    ("fsync", "remote"): "The octets of remote are on the disk now.",
    ("fsyncdir", "remote"): "The name of remote is on the disk now.",
    ("unlink", "todo"): "The name in todo goes: the message is preprocessed.",
    ("unlink", "info"): "info goes: for qmail-send the message has ended.",
    ("unlink", "local"): "Everybody who lives here is done, so the file goes.",
    ("unlink", "remote"): "Everybody elsewhere is done, so the file goes.",
    ("mark", "local"): "One octet in place, T to D: this recipient is done.",
    ("mark", "remote"): "One octet in place, T to D: this recipient is done.",
    ("utime", "local"): "qmail-send stops, and keeps the time of the next attempt as the time of this file.",
    ("utime", "remote"): "qmail-send stops, and keeps the time of the next attempt as the time of this file.",
    ("write", "bounce"): "What the sender must be told is appended.",
    ("fsync", "bounce"): "What the sender must be told is on the disk now; its name need not be.",
    ("fsyncdir", "bounce"): "The name of bounce is on the disk now.",
    ("unlink", "bounce"): "The sender's mail is queued, so the notes for it go.",
    ("open", "tmp"): "A new file in tmp of the mailbox.",
    ("write", "tmp"): "The mail is written there.",
    ("fsync", "tmp"): "The octets of the mail are on the disk now; its name need not be.",
    ("link", "new"): "The mail gets a name in new: the user sees it from here on.",
    ("fsyncdir", "new"): "The name in new is on the disk now.",
    ("unlink", "tmp"): "The name in tmp goes.",
}
"""Call and kind -> sentence. The kind of a file in a mailbox is tmp, new or cur."""

NOTHING_DONE: Final = "Nothing to remove: there is no such file."
"""For the unlink of a file that was not there: todo-proc removes what an earlier try may have left."""


def describe_step(call: str, path: str, *, has_changed: bool = True) -> str:
    """Return the sentence for a step.

    Args:
        call: Name of the call.
        path: Relative to the queue; that of a mailbox begins with its address.
        has_changed: Whether the files differ after it.

    Example:
        >>> describe_step("unlink", "todo/3/660188")
        'The name in todo goes: the message is preprocessed.'
        >>> describe_step("unlink", "ann@example.com/tmp/1268622054.M994200P3223Q1.mx")
        'The name in tmp goes.'
    """
    if call == "unlink" and not has_changed:
        return NOTHING_DONE
    return SENTENCES.get((call, kind_of(path)), visible(f"{call} {path}"))


def kind_of(path: str) -> str:
    """Return the kind of file that a path of a tape is: "mess", "pid", "lock", or "new" in a mailbox.

    Example:
        >>> kind_of("mess/16/660188"), kind_of("ann@example.com/.Spam/new/NAME"), kind_of("ann@example.com/new")
        ('mess', 'new', 'new')
    """
    parts = path.split("/")
    return next((part for part in parts[1:] if part in ("tmp", "new", "cur")), parts[0])
