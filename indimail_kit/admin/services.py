"""Look at a service and plan for it.

Rule 1: planning reads and changes nothing.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from indimail_kit.admin import plan
from indimail_kit.control.envdir import MAX_VARIABLE_BYTES, check_name, encode_value
from indimail_kit.control.supervise import read_service
from indimail_kit.errors import EnvdirError


def plan_service_up(directory: str | Path) -> plan.Plan:
    """Plan to bring a service up, for now and after each start: ``rm down``, ``svc -u``.

    Raises:
        SuperviseError: It is no service, or no supervise runs there.
    """
    return plan.service_up(read_service(directory))


def plan_service_down(directory: str | Path, *, for_good: bool = False) -> plan.Plan:
    """Plan to take a service down: ``svc -d``, and ``touch down`` if it shall stay so.

    Raises:
        SuperviseError: It is no service, or no supervise runs there.
    """
    return plan.service_down(read_service(directory), for_good=for_good)


def plan_variable(directory: str | Path, name: str, value: str | None, *, restarts: bool = True) -> plan.Plan:
    """Plan to give a service's variable another value, or to remove it, and to start the service anew.

    Raises:
        SuperviseError: It is no service, or it shall be started anew and no supervise runs there.
        EnvdirError: It has no directory ``variables``, or the name or the value cannot be kept in one.
    """
    service = read_service(directory)
    octets = None if value is None else encode_value(value)
    before = read_variable(service.directory / "variables", name)
    return plan.variable(service, name, octets, before=before, restarts=restarts)


def read_variable(directory: Path, name: str) -> bytes | None:
    """Return the octets of a variable's file, None without one.

    Raises:
        EnvdirError: The directory is none, the name is no variable's, or the file is no plain one that can be read.
    """
    check_name(name)
    path = directory / name
    if not directory.is_dir():
        raise EnvdirError("a directory variables", source=str(directory))
    problem: str | None = "it is none"
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                return file.read(MAX_VARIABLE_BYTES) or b""
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = error.strerror
    raise EnvdirError(f"a plain file that can be read ({problem})", source=str(path))
