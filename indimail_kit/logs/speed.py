"""Kernels, compiled where that pays.

A kernel module is ordinary Python over numbers and arrays. As it is, it reads some ten thousand lines a second and
starts at once; as machine code (extra `logs`) it reads millions. There is one text of it and so one engine; this module
alone decides how it runs, and `native` makes the machine code.
"""

from __future__ import annotations

import importlib
import importlib.util
import zlib
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from indimail_kit.logs.native import NativeKernel, is_made

COMPILE_BYTES: Final = 3 * 1024 * 1024
"""Size of a log from which kernels are translated to machine code (unit: octets): it takes some seconds, once."""

LOAD_BYTES: Final = 256 * 1024
"""Size of a log from which machine code is used that is there already (unit: octets): loading it takes 0.05 s, as
reading about as much without."""


def has_compiler() -> bool:
    """Say whether numba is installed; it is not imported."""
    return importlib.util.find_spec("numba") is not None


def compile_bytes() -> int:
    """Return the size of a log from which compiled kernels pay (unit: octets)."""
    return LOAD_BYTES if is_made(_version()) else COMPILE_BYTES


@cache
def kernels(module_name: str, *, compiled: bool) -> Any:
    """Return the kernels of a module as they are, or compiled.

    Args:
        module_name: A module with a tuple KERNELS, each function behind those that it calls.
        compiled: Whether to compile them; needs numba.
    """
    module = importlib.import_module(module_name)
    if not compiled:
        return module
    version = _version()
    return SimpleNamespace(
        **{kernel.__name__: NativeKernel(kernel, module.KERNELS, version) for kernel in module.KERNELS}
    )


@cache
def _version() -> str:
    """Return a checksum of everything that compiled code is made of."""
    here = Path(__file__).parent
    paths = sorted({*here.glob("*kernel*.py"), *here.glob("*_codes.py"), *here.glob("join_*.py"), here / "native.py"})
    return f"{zlib.crc32(b''.join(path.read_bytes() for path in paths)):08x}"
