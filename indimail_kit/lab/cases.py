"""Broken servers to practise on: started in one line, with symptoms as a real one has, graded by what they then do.

::

    with start_case("clamd-down", seed=7) as case:
        print(case.complaint)        # what people say
        case.smtp, case.logs, case.queue_base
        case.hint()                  # where to look; the next call says more
        case.grade()                 # looks at the server, sends a mail to try it

The same from a terminal: ``indimail-kit case start NAME``, and ``case hint DIR``, ``case grade DIR`` from another one.

Rule 1: a case is made of the lab's real parts, and broken as a real server breaks: by its files and its services.
Rule 2: a case is the same for the same seed, apart from ports, times and process numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from indimail_kit.errors import LabError
from indimail_kit.lab import cases_queue, cases_remote, cases_rules, cases_scanner, cases_users, cases_way
from indimail_kit.lab.case import Case as Case
from indimail_kit.lab.case import Deed as Deed
from indimail_kit.lab.case import Finding as Finding
from indimail_kit.lab.case import Grade as Grade
from indimail_kit.lab.case_file import OpenCase as OpenCase
from indimail_kit.lab.case_file import RunningCase as RunningCase
from indimail_kit.lab.case_file import begin, read_state
from indimail_kit.lab.case_site import Probe as Probe
from indimail_kit.lab.case_site import Site as Site

CASES: Final[dict[str, Case]] = {
    case.name: case
    for module in (cases_scanner, cases_users, cases_way, cases_queue, cases_remote, cases_rules)
    for case in module.CASES
}
"""Name -> case."""


def find_case(name: str) -> Case:
    """Return a case by its name.

    Raises:
        LabError: There is none of this name; the text lists all.
    """
    if name not in CASES:
        raise LabError(f"no case {name!r}; there are {', '.join(CASES)}")
    return CASES[name]


def start_case(
    name: str, *, seed: int = 1, directory: Path | str | None = None, clock: Callable[[], int] = time.time_ns
) -> RunningCase:
    """Start a broken server.

    Args:
        name: One of `CASES`.
        seed: Decides who complains and what else differs from time to time.
        directory: New or empty directory to work in and to keep; None makes a temporary one.
        clock: Gives the time (unit: ns since 1970).

    Raises:
        LabError: There is no such case, the directory is not empty, or the server did not start.
        MissingPartError: A part that it needs is not installed.
        OSError: The directory cannot be written.
    """
    where = None if directory is None else Path(directory)
    return begin(find_case(name), seed=seed, directory=where, clock=clock)


def open_case(directory: Path | str, *, clock: Callable[[], int] = time.time_ns) -> OpenCase:
    """Open a case that another process runs.

    Raises:
        LabError: No case was started there.
        FormatError: Its file is none of ours.
        OSError: It cannot be read.
    """
    where = Path(directory).resolve()
    return OpenCase(find_case(read_state(where).name), where, clock=clock)
