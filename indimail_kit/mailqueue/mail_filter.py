"""FILTERARGS: the filter that qmail-multi sends a message through before it goes to qmail-queue.

Source: IndiMail indimail-mta-x/mailfilter.c `mailfilter()`; recorded calls.

Deviation: The real program hands FILTERARGS to /bin/sh. Here its words are split as a shell does and the program is run
without one; text that would need a shell is refused (exit code 71) instead of being run in another way.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import IO, Final

from indimail_kit import sigchld
from indimail_kit.errors import QueueError
from indimail_kit.exitcodes import CRASHED, CUSTOM, OK, PERMANENT_REJECT, TEMPORARY_REJECT
from indimail_kit.mailqueue.descriptors import read_message

NOT_STARTED: Final = "FILTERARGS"
"""Path of the error for a filter that was not run, so that nobody else says why."""

_SWALLOW: Final = frozenset((2, 99))
"""Exit codes of a filter that make the message vanish, with success. 99 is qmail-qfilter's."""

_ENDS: Final = {0: OK, 88: CUSTOM, PERMANENT_REJECT: PERMANENT_REJECT, 100: PERMANENT_REJECT}
"""Exit code of the filter -> qmail-multi's; any other is 71."""

_WORD: Final = r"""(?:[\w@%+=:,./-]|'[^']*'|"[^"$`\\]*")+"""
"""A word in which a shell would find nothing to do but to take quotes away."""

_PLAIN_COMMAND: Final = re.compile(rf"[ \t]*(?!\w+=){_WORD}(?:[ \t]+{_WORD})*[ \t]*", re.ASCII)
"""A command without pipe, redirection, variable, pattern or assignment."""

_NOT_HANDED_ON: Final = frozenset(("FILTERARGS", "SPAMFILTER"))
"""Variables that the filter does not get: a program that it starts would filter again."""


def split_filter(text: str) -> list[str]:
    """Return the words of FILTERARGS.

    Raises:
        QueueError: Exit code 71: it is empty, a quote is not closed, or it needs a shell.

    Example:
        >>> split_filter("/bin/sh -c 'exit 100'")
        ['/bin/sh', '-c', 'exit 100']
    """
    if _PLAIN_COMMAND.fullmatch(text) is None:
        text = "FILTERARGS that is no plain command: a shell would be needed"
        raise QueueError(text, exit_code=TEMPORARY_REJECT, path=NOT_STARTED)
    return shlex.split(text)


def filter_message(fd: int, text: str, environ: Mapping[str, str], *, error_fd: int | None = None) -> IO[bytes] | None:
    """Send a message through the filter.

    Args:
        fd: The message.
        text: FILTERARGS.
        environ: Environment of the filter.
        error_fd: Where the filter may complain.

    Returns:
        What the filter made of the message, as a file that stands at its start; None when it swallowed the message.

    Raises:
        QueueError: Exit code 31, 71, 88 or 123, as the filter ended.
        OSError: The message cannot be read, or there is no room for it.
    """
    import subprocess  # few mails are filtered; both take a while to load
    import tempfile

    words = split_filter(text)
    if sigchld.is_ignored():
        raise QueueError(f"FILTERARGS: {words[0]}: {sigchld.UNSEEN}", exit_code=TEMPORARY_REJECT, path=NOT_STARTED)
    with tempfile.TemporaryFile() as message:
        for piece in read_message(fd):
            message.write(piece)
        message.seek(0)
        filtered = tempfile.TemporaryFile()  # noqa: SIM115 - it is the result
        try:
            ended = subprocess.run(
                words,
                stdin=message,
                stdout=filtered,
                stderr=error_fd,
                env={name: value for name, value in environ.items() if name not in _NOT_HANDED_ON},
                check=False,
            ).returncode
        except OSError as error:
            filtered.close()
            text = f"FILTERARGS: {words[0]}: {error.strerror}"
            raise QueueError(text, exit_code=TEMPORARY_REJECT, path=NOT_STARTED) from error
    if ended == 0:
        filtered.seek(0)
        return filtered
    filtered.close()
    if ended in _SWALLOW:
        return None
    exit_code = CRASHED if ended < 0 else _ENDS.get(ended, TEMPORARY_REJECT)
    raise QueueError(f"a filter that ended with {ended}", exit_code=exit_code)
