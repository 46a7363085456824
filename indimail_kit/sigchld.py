"""SIGCHLD ignored: the system then throws the end of every child away, and no exit code is ever seen.

A program inherits this from whoever started it; some ways to start a service do it. Python's subprocess takes the
missing exit code for 0, which from a scanner means "clean" and from a password checker "right".

Source: sigaction(2), SIG_IGN and SA_NOCLDWAIT; wait(2), ECHILD.

Rule 1: who needs an exit code asks `is_ignored` first, and takes a lost end for no answer.
"""

from __future__ import annotations

import signal
from typing import Final

UNSEEN: Final = "SIGCHLD is ignored, so that nobody could say how it ends"
"""Why a child is not started, or why its end counts for nothing."""


def is_ignored() -> bool:
    """Say whether this process ignores SIGCHLD, as far as Python knows."""
    return signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
