"""The line that svstat prints of a service, letter for letter: Debian's form and IndiMail's.

Source: daemontools 0.76 svstat.c; IndiMail's daemontools-x svstat.c 1.9; answers recorded in
``tests/data/indimail/tools/supervise-*.txt``, from which the fraction of IndiMail's later versions is known.
"""

from __future__ import annotations

import os
from typing import Final

from indimail_kit.control.supervise import FLAVOURS, Service

_NS: Final = 10**9


def format_debian(service: Service, *, now_ns: int) -> str:
    """Return the line that djb's and Debian's svstat print, without its end.

    It counts in whole seconds, and takes any pid for that of the service.
    """
    status = service.status
    if status is None:
        is_there = os.path.lexists(service.supervise_directory / "ok")
        why = "supervise not running" if is_there else "unable to open supervise/ok: file does not exist"
        return f"{service.directory}: {why}"
    normally = "normally up" if service.is_normally_up else "normally down"
    seconds = max(0, now_ns // _NS - status.since_ns // _NS)
    if status.pid:
        state = f"up (pid {status.pid})"
        remarks = {normally: not service.is_normally_up, "paused": status.is_paused, "want down": status.want == "down"}
    else:
        state = "down"
        remarks = {normally: service.is_normally_up, "want up": status.want == "up"}
    return f"{service.directory}: {state} {seconds} seconds{_listed(remarks)}"


def format_indimail(service: Service, *, now_ns: int) -> str:
    """Return the line that IndiMail's svstat prints, without its end (but with the blank before it).

    The fraction is not padded: ``1.4960999`` is 1.004960999 s. It is one nanosecond short, because svstat reads the
    pid that follows the label as the label's attoseconds.
    """
    status = service.status
    if status is None:
        is_there = os.path.lexists(service.supervise_directory / "ok")
        why = "supervise not running: device not configured" if is_there else "file does not exist"
        return f"svstat: warning: unable to open {service.directory}/supervise/ok: {why}"
    if status.flavour != FLAVOURS[21]:
        return f"{service.directory}: unable to read supervise/status: bad format"
    elapsed_ns = max(0, status.elapsed_ns(now_ns) - (status.pid != 0))
    state = "wait" if status.wait_s else "up" if status.is_up else "down"
    remarks = {
        "normally down": status.is_up and not service.is_normally_up,
        "normally up": not status.pid and service.is_normally_up,
        "paused": status.is_up and status.is_paused,
        "want up": not status.pid and status.want == "up",
        "want down": status.is_up and status.want == "down",
    }
    line = f"{service.directory}: {state} {elapsed_ns // _NS}.{elapsed_ns % _NS} seconds{_listed(remarks)}"
    if status.pid:
        line += f"  pid {status.pid} " if status.is_up else f" spid {status.pid} "
    left_s = status.wait_s - elapsed_ns // _NS
    return line + (f"remaining {left_s} seconds" if status.wait_s > 0 and left_s > 0 else "")


def indimail_exit_code(service: Service) -> int:
    """Return what IndiMail's svstat exits with: 0 up, 1 down, 2 no supervise, 3 paused, 5 up but to go down, 100.

    4 (down but to come up) is in its source too, for a status without any pid, which its supervise does not write.
    """
    status = service.status
    if status is None:
        return 2
    if status.flavour != FLAVOURS[21]:
        return 100
    if not status.is_up:
        return 4 if not status.pid and status.want == "up" else 1
    if status.want == "down":
        return 5
    return 3 if status.is_paused else 0


def _listed(remarks: dict[str, bool]) -> str:
    """Return the remarks that hold, each with a comma in front."""
    return "".join(f", {remark}" for remark, holds in remarks.items() if holds)
