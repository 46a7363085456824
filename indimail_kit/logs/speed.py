"""Kernels, compiled where that pays.

A kernel module is ordinary Python over numbers and arrays. As it is, it reads some ten thousand lines a second and
starts at once; compiled by numba (extra `logs`) it reads millions, and loading it takes half a second. There is one
text of it and so one engine; this module alone decides how it runs.

Note for maintainers: numba keeps what it compiled beside the module, or in the user's cache directory, and knows its
age by the function's own file alone: neither the constants that it takes from other modules nor the options here. So a
checksum of all of them is part of the function's name.
"""

from __future__ import annotations

import importlib
import importlib.util
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, Final

COMPILE_BYTES: Final = 3 * 1024 * 1024
"""Size of a log from which the compiled kernels are used (unit: octets): loading them takes as long as reading about
as much without."""


def has_compiler() -> bool:
    """Say whether numba is installed; it is not imported."""
    return importlib.util.find_spec("numba") is not None


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
    import numba  # half a second: only for large logs

    version = _version()
    scope = {name: value for kernel in module.KERNELS for name, value in kernel.__globals__.items()}
    for kernel in module.KERNELS:
        # The copy finds its callees in `scope`, where they are compiled already.
        copy = FunctionType(kernel.__code__, scope, kernel.__name__, kernel.__defaults__)
        copy.__module__, copy.__qualname__ = kernel.__module__, f"{kernel.__qualname__}_{version}"
        scope[kernel.__name__] = _compiled(numba, copy)
    return SimpleNamespace(**{kernel.__name__: scope[kernel.__name__] for kernel in module.KERNELS})


def _version() -> str:
    """Return a checksum of everything that compiled code is made of."""
    here = Path(__file__).parent
    paths = sorted({*here.glob("*kernel*.py"), *here.glob("*_codes.py"), *here.glob("join_*.py"), Path(__file__)})
    return f"{zlib.crc32(b''.join(path.read_bytes() for path in paths)):08x}"


def _compiled(numba: Any, function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called.

    Kernels make no arrays, so that nobody has to count who holds one: the counting takes two thirds of the time. A
    numba that does not know the option any more counts; no directory that may be written to: each process compiles.
    """
    for options in ({"_nrt": False, "cache": True}, {"_nrt": False}, {"cache": True}):
        with suppress(RuntimeError, KeyError, TypeError):
            return numba.njit(function, nogil=True, **options)
    return numba.njit(function, nogil=True)
