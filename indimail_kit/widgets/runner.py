"""Run slow work beside the screen: the work in a thread of its own, its updates where the widgets live.

The lab tells each station from its own threads; a widget may be changed only where its messages are handled. Two ways:

- `run_here`: the caller waits and shows every update itself. For a notebook cell, nbclient and pytest.
- `run_beside`: the caller goes on; updates are handed to its asyncio loop. For a click, so that a kernel stays awake.

`run` takes the one that fits the thread it is called in.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from indimail_kit.errors import LabError

Update = TypeVar("Update")
Result = TypeVar("Result")
Work = Callable[[Callable[[Update], None]], Result]
"""Work takes the function that it tells its updates to, and returns its result."""


@dataclass(frozen=True, slots=True)
class Ended(Generic[Result]):
    """How the work ended: with a result, or with the error that it raised.

    Attributes:
        result: The result, None with an error.
        error: The error, None with a result.
    """

    result: Result | None = None
    error: BaseException | None = None

    def outcome(self) -> Result:
        """Return the result.

        Raises:
            BaseException: The work's own error.
            LabError: The work ended without a result.
        """
        if self.result is None:
            raise self.error or LabError("work that ended without a result")
        return self.result


def _ending(work: Work[Update, Result], tell: Callable[[Update], None]) -> Ended[Result]:
    try:
        return Ended(result=work(tell))
    except BaseException as error:  # handed to the thread that asked, whatever it is
        return Ended(error=error)


def run_here(work: Work[Update, Result], show: Callable[[Update], None]) -> Ended[Result]:
    """Run the work in a thread, show its updates in this one as they come, and return how it ended."""
    told: queue.SimpleQueue[tuple[Update] | Ended[Result]] = queue.SimpleQueue()
    thread = threading.Thread(
        target=lambda: told.put(_ending(work, lambda update: told.put((update,)))),
        name="indimail-kit-journey",
        daemon=True,
    )
    thread.start()
    while not isinstance(item := told.get(), Ended):
        show(item[0])
    thread.join()
    return item


def run_beside(
    work: Work[Update, Result],
    show: Callable[[Update], None],
    finish: Callable[[Ended[Result]], None],
    *,
    loop: asyncio.AbstractEventLoop,
) -> threading.Thread:
    """Start the work in a thread and return it; `show` and `finish` are called in the loop, in order."""
    context = contextvars.copy_context()

    def hand_over(call: Callable[..., None], argument: object) -> None:
        # RuntimeError: the loop was closed, so nobody looks any more; the mail goes on all the same.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(call, argument, context=context)

    thread = threading.Thread(
        target=lambda: hand_over(finish, _ending(work, lambda update: hand_over(show, update))),
        name="indimail-kit-journey",
        daemon=True,
    )
    thread.start()
    return thread


def run(
    begin: Callable[[], Work[Update, Result]],
    show: Callable[[Update], None],
    finish: Callable[[Ended[Result]], None],
) -> None:
    """Begin the work and run it beside this thread's loop, or here where there is none."""
    loop = running_loop()
    if loop is None:
        finish(run_here(begin(), show))
    else:
        run_beside(begin(), show, finish, loop=loop)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, None outside a kernel."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
