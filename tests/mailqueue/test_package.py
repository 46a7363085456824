"""The room as others see it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import indimail_kit.mailqueue as room

HEAVY = ("pandas", "numpy", "sqlalchemy", "aiosmtpd", "asyncio", "ipywidgets", "IPython", "email", "random", "socket")


@pytest.mark.parametrize("name", room.__all__)
def test_public_name_exists(name: str) -> None:
    """`__all__` promises nothing that is not there."""
    assert hasattr(room, name)


def test_room_is_light() -> None:
    """Nothing heavy is imported with it."""
    program = f"import sys, indimail_kit.mailqueue; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_a_drop_in_does_not_need_comes_later() -> None:
    """Tapes, crashes and watching are imported when they are asked for, by name or by module."""
    later = ("recorder", "tape", "crash", "live")
    program = (
        "import sys, indimail_kit.mailqueue as room\n"
        f"names = ['indimail_kit.mailqueue.' + name for name in {later!r}]\n"
        "print([name in sys.modules for name in names])\n"
        "print(room.record_enqueue.__module__, room.crash.crash_states is room.crash_states)\n"
    )
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "[False, False, False, False]\nindimail_kit.mailqueue.recorder True\n"


def test_unknown_name_is_an_attribute_error() -> None:
    """As from any module."""
    with pytest.raises(AttributeError, match="has no attribute 'qmail'"):
        room.qmail  # noqa: B018 (asking is the test)


def test_dir_lists_the_public_names() -> None:
    """Those that come later too."""
    assert dir(room) == sorted(room.__all__)
