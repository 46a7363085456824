"""How kernels run: as they are, or compiled; the same functions, and what numba cannot do is no fault."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from indimail_kit.logs import kernel, speed


def test_without_a_compiler_the_module_itself_runs() -> None:
    """One text, and it needs nothing."""
    assert speed.kernels("indimail_kit.logs.kernel", compiled=False) is kernel


@pytest.mark.parametrize(
    "refused", [(), ("_nrt",), ("cache",), ("_nrt", "cache")], ids=lambda one: "+".join(one) or "none"
)
def test_what_numba_refuses_is_left_away(refused: tuple[str, ...]) -> None:
    """An option that is gone, a directory that may not be written to: slower, and no error."""

    def njit(function: Callable[..., Any], **options: Any) -> Any:
        if "cache" in refused and "cache" in options:
            raise RuntimeError("cannot cache function")
        if "_nrt" in refused and "_nrt" in options:
            raise KeyError("Unrecognized options: {'_nrt'}")
        return options

    options = speed._compiled(SimpleNamespace(njit=njit), kernel.scan)
    assert set(options) == {"nogil", "_nrt", "cache"} - set(refused)


@pytest.mark.skipif(not speed.has_compiler(), reason="needs the extra logs")
def test_compiled_kernels_have_the_names_of_the_module() -> None:
    """And what numba keeps of them is known by a checksum of their sources."""
    compiled = speed.kernels("indimail_kit.logs.kernel", compiled=True)
    assert set(vars(compiled)) == {one.__name__ for one in kernel.KERNELS}
    assert compiled.scan.py_func.__qualname__ == f"scan_{speed._version()}"
