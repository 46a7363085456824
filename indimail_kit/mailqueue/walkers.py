"""The quick look at a whole queue, on more than one core when the queue is big.

Note for maintainers: a thread would wait for the interpreter's lock most of the time, and a fork of a kernel with
threads may hang, so a helper is a small new process. It gets the queue as an open descriptor, looks at its share of the
sub-directories, and sends columns through a pipe.

Rule 1: a helper that fails costs time, never messages: its share is looked at here.
Rule 2: no helper outlives the look.
"""

from __future__ import annotations

import marshal
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from indimail_kit.mailqueue.check_message import CLOCK_SLACK_S, RETRY_SLACK_S
from indimail_kit.mailqueue.columns import PIECES, Part
from indimail_kit.mailqueue.layout import FILE_MODES, KINDS, OWNERS, QueueLayout
from indimail_kit.mailqueue.walk import Walk

if TYPE_CHECKING:
    import subprocess

HELP_FROM: Final = 5000
"""Messages still to be seen from which on a helper pays (unit: messages)."""

MAX_PROCESSES: Final = 4
"""More do not get more out of one file system (unit: processes)."""

_PROGRAM: Final = """
import sys
for name in ("indimail_kit", "indimail_kit.mailqueue"):  # bare packages: theirs import what is not needed here
    sys.modules[name] = type(sys)(name)
sys.modules["indimail_kit.mailqueue"].__path__ = [sys.argv[1]]
from indimail_kit.mailqueue.walk import main
main()
"""


def usual(*, now_ns: int, owners: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, tuple[int, int] | None, int]]:
    """Return what a usual file is: kind -> mode and type, owner or None, latest mtime (unit: ns since 1970).

    Args:
        now_ns: Time (unit: ns since 1970).
        owners: User of IndiMail -> (uid, gid), see `layout.find_owners`.
    """
    slack_s = {kind: RETRY_SLACK_S if kind in ("local", "remote") else CLOCK_SLACK_S for kind in KINDS}
    return {
        kind: (stat.S_IFREG | FILE_MODES[kind], owners.get(OWNERS[kind]), now_ns + slack_s[kind] * 10**9)
        for kind in KINDS
    }


@contextmanager
def opened_walk(
    layout: QueueLayout, queue_fd: int, *, now_ns: int, owners: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[Walk, tuple[Any, ...]]]:
    """Give a walk through a queue, and what it was made from."""
    split_kinds = tuple(kind for kind in KINDS if layout.is_split(kind))
    shape = (queue_fd, layout.split, split_kinds, usual(now_ns=now_ns, owners=owners))
    with Walk(*shape) as walk:
        yield walk, shape


def walk_queue(
    layout: QueueLayout,
    queue_fd: int,
    *,
    now_ns: int,
    owners: Mapping[str, tuple[int, int]],
    processes: int | None = None,
) -> Part:
    """Look at all sub-directories of a queue.

    Args:
        layout: The queue.
        queue_fd: Descriptor of its directory.
        now_ns: Time (unit: ns since 1970).
        owners: User of IndiMail -> (uid, gid).
        processes: How many processes may look at once; as many as we have cores, up to MAX_PROCESSES, if not given.

    Returns:
        What they show, in the order of the sub-directories, and what lies beside them.
    """
    processes = min(len(os.sched_getaffinity(0)), MAX_PROCESSES) if processes is None else processes
    with opened_walk(layout, queue_fd, now_ns=now_ns, owners=owners) as (walk, shape), ExitStack() as stack:
        whole, numbers = Part(), list(range(layout.split))
        helpers: list[tuple[list[int], subprocess.Popen[bytes]]] = []
        while numbers:
            walk.part(numbers.pop(0), whole)
            seen = len(whole.columns) + len(whole.odd)
            if processes > 1 and not helpers and seen * len(numbers) >= HELP_FROM * (layout.split - len(numbers)):
                numbers, *shares = _shares(numbers, processes)
                helpers = [(share, stack.enter_context(_helper([share, *shape]))) for share in shares if share]
                processes = 1
        for share, helper in helpers:
            part = _answer(helper)
            if part is not None:
                whole.extend(part)
            for number in share if part is None else ():
                walk.part(number, whole)
        whole.extend(walk.top)
    return whole


def _shares(numbers: Sequence[int], count: int) -> list[list[int]]:
    """Return the numbers in shares of the same size, in their order."""
    size = -(-len(numbers) // count)
    return [list(numbers[index * size : (index + 1) * size]) for index in range(count)]


@contextmanager
def _helper(task: list[Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Give a helper that is at work; it is gone at the end."""
    import subprocess  # not needed for a small queue

    queue_fd = task[1]
    argv = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(Path(__file__).parent)]
    pipe = subprocess.PIPE
    helper = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pass_fds=[queue_fd])
    try:
        with suppress(BrokenPipeError), _stream(helper.stdin) as stdin:  # it failed then; its answer will say so
            stdin.write(marshal.dumps(task))
        yield helper
    finally:
        helper.kill()
        helper.wait()
        _stream(helper.stdout).close()


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe, which is there because it was asked for."""
    assert stream is not None  # noqa: S101 (for the type checker)
    return stream


def _answer(helper: subprocess.Popen[bytes]) -> Part | None:
    """Return what a helper saw; None if it failed."""
    stream = _stream(helper.stdout)
    try:
        return Part.unpack(_pieces(stream))
    except (EOFError, StopIteration, TypeError, ValueError):  # it ended before its answer did
        return None


def _pieces(stream: IO[bytes]) -> Iterator[Any]:
    """Yield the pieces of a part."""
    for _ in range(PIECES):
        yield marshal.load(stream)  # noqa: S302 (from our own helper)
