"""The room as others see it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from indimail_kit import delivery

ROOT = Path(__file__).parents[2]


def loaded_by(code: str) -> set[str]:
    """Return the modules that are loaded after some code ran in a fresh Python."""
    argv = [sys.executable, "-c", code + "; import sys; print(*sys.modules)"]
    return set(subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("name", delivery.__all__)
def test_public_name_is_there(name: str) -> None:
    """Each name of __all__ can be had, and is listed."""
    assert getattr(delivery, name) is not None
    assert name in dir(delivery)


def test_modules_of_the_room_are_attributes() -> None:
    """kit.delivery.schedule works without another import."""
    code = "import indimail_kit as kit; assert kit.delivery.schedule.next_retry_s"

    assert "indimail_kit.delivery.schedule" in loaded_by(code)
    assert delivery.__getattr__("schedule").__name__ == "indimail_kit.delivery.schedule"


def test_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        delivery.nothing  # noqa: B018


def test_importing_the_room_loads_nothing_heavy() -> None:
    """Not even its own modules, before one is asked for."""
    loaded = loaded_by("import indimail_kit.delivery")

    assert {name for name in loaded if name.startswith("indimail_kit.")} == {"indimail_kit.delivery"}


def test_sending_needs_neither_pandas_nor_the_rooms_beside_it() -> None:
    """Delivery may read mailqueue and logs, and no third party."""
    loaded = loaded_by("from indimail_kit.delivery import QmailSend")

    assert not loaded & {"pandas", "numpy", "indimail_kit.lab", "indimail_kit.auth", "indimail_kit.qhpsi"}
