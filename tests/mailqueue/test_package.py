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
