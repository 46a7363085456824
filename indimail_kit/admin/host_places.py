"""Where the things of a host are: a real one by its defaults, a lab by its one directory.

Source: IndiMail conf-control, conf-qmail; svscan(8) for /service.

Note for maintainers: ``places_of_lab`` names the directories of a lab again, because `admin` and `lab` do not import
each other; a test lays them side by side.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indimail_kit.mailqueue.controls import CONTROL_DIRECTORY
from indimail_kit.mailqueue.queues import default_place

SERVICE: Final = Path("/service")
"""Where svscan looks for services."""

LOG_DIRECTORIES: Final = (Path("/var/log/svc"), Path("/var/log/indimail"))
"""Where IndiMail's services keep their logs; which of them depends on its age."""


@dataclass(frozen=True, slots=True)
class HostPlaces:
    """Where to look; None for what shall be left out.

    Attributes:
        queue: A queue, or a base with queue1 … N.
        split: Sub-directories of its split directories; None for what they show (unit: directories).
        services: The directory of the services.
        control: The control files.
        logs: Directories of multilog, or directories that hold such.
        clamd: clamd's configuration or socket; None to find it by what QHPSI and the run scripts say.
        has_supervise: Whether something must watch over the services; a lab's SMTP service runs in the lab itself.
    """

    queue: Path | None = None
    services: Path | None = None
    control: Path | None = None
    logs: tuple[Path, ...] = ()
    clamd: Path | None = None
    has_supervise: bool = True
    split: int | None = None

    @property
    def is_empty(self) -> bool:
        """Say whether there is nowhere to look."""
        return not (self.queue or self.services or self.control or self.logs or self.clamd)


def places_of_host(environ: Mapping[str, str]) -> HostPlaces:
    """Return the places of IndiMail on this host that exist; none of them on a host without IndiMail."""
    control = Path(environ.get("CONTROLDIR") or CONTROL_DIRECTORY)
    return HostPlaces(
        queue=_there(default_place(environ)),
        services=_there(SERVICE),
        control=_there(control),
        logs=tuple(path for path in LOG_DIRECTORIES if _there(path)),
    )


def places_of_lab(directory: Path) -> HostPlaces:
    """Return the places of a lab, by its directory."""
    return HostPlaces(
        queue=directory / "queue",
        services=directory / "service",
        control=directory / "control",
        logs=(directory / "log",),
        has_supervise=False,
    )


def _there(path: Path) -> Path | None:
    """Return a path where something is, though we may not look at it."""
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists() calls what may not be looked at absent
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return path
    return path
