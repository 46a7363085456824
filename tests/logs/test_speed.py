"""How kernels run: as they are, or compiled; the same functions, and once made they need nothing of numba."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from indimail_kit.logs import kernel, kernel_runs, native, speed

COMPILER = pytest.mark.skipif(not speed.has_compiler(), reason="needs the extra logs")


def runs_table() -> tuple[Any, Any]:
    """Return arguments of count_runs: one line to be counted, in the second run of a queue."""
    import numpy as np

    table = np.full((1, 26), -3, dtype=np.int64)
    table[0, :8] = 0, 9, 0, 0, 0, 12, -3, 0
    return table, np.array([[1, 5]], dtype=np.int64)


@pytest.fixture
def made_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let machine code be kept in a directory of the test's; the place before it cannot be written to."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(native, "_places", lambda: (tmp_path / "file" / "below", tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file in which the smallest kernel is kept."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "_places", lambda: (place,))
        new_kernel()(*runs_table())
    (path,) = place.iterdir()
    return path


@pytest.fixture
def made_before(made_here: Path, machine_code: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of it, where it is looked for; nothing can be translated."""
    monkeypatch.setattr(native, "translated", refuse)
    return Path(shutil.copy2(machine_code, made_here))


def new_kernel() -> native.NativeKernel:
    """Return the smallest kernel."""
    return native.NativeKernel(kernel_runs.count_runs, kernel_runs.KERNELS, "v")


def test_without_a_compiler_the_module_itself_runs() -> None:
    """One text, and it needs nothing."""
    assert speed.kernels("indimail_kit.logs.kernel", compiled=False) is kernel


@COMPILER
def test_compiled_kernels_have_the_names_of_the_module() -> None:
    """And each knows the function that it is made of."""
    compiled = speed.kernels("indimail_kit.logs.kernel", compiled=True)
    assert {name: one.kernel for name, one in vars(compiled).items()} == {one.__name__: one for one in kernel.KERNELS}


@COMPILER
def test_machine_code_is_made_once_and_does_what_the_kernel_does(made_before: Path) -> None:
    """A second process, here a second object, loads what the first one made, and translates nothing."""
    table, runs = runs_table()
    new_kernel()(table, runs)
    assert (table[0, 6], runs.tolist()) == (2, [[2, 0]])
    assert made_before.name.split("-")[1] == "v"


@COMPILER
@pytest.mark.parametrize("spoil", ["half", "others may write", "another owner"])
def test_machine_code_that_is_not_whole_or_not_ours_is_not_loaded(
    spoil: str, made_before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write it could run anything as this user."""
    whole = native._kept(made_before.name)
    if spoil == "half":
        made_before.write_bytes(made_before.read_bytes()[:-100])
    elif spoil == "others may write":
        made_before.chmod(0o666)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        os.chown(made_before, 4712, -1) if os.getuid() == 0 else None
    assert whole
    assert native._kept(made_before.name) is None


@COMPILER
def test_what_cannot_be_machine_code_is_run_by_numba(made_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another numba or LLVM may leave something in it that only numba answers for."""
    monkeypatch.setattr(native, "translated", refuse)
    table, runs = runs_table()
    new_kernel()(table, runs)
    assert (table[0, 6], runs.tolist(), list(made_here.glob("*.o"))) == (2, [[2, 0]], [])


@COMPILER
def test_an_llvm_with_another_interface_leaves_the_kernel_to_numba(
    made_before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later llvmlite may name things in other ways: the log is read all the same."""
    monkeypatch.setattr(native, "_llvm", object)
    monkeypatch.setattr(native, "_maker", native._maker.__wrapped__)
    table, runs = runs_table()
    new_kernel()(table, runs)
    assert (table[0, 6], runs.tolist(), made_before.is_file()) == (2, [[2, 0]], True)


@COMPILER
def test_machine_code_without_its_function_is_not_jumped_into(
    made_before: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is whole and another's: numba runs the kernel."""
    monkeypatch.setattr(native, "_address", lambda *_: 0)
    table, runs = runs_table()
    new_kernel()(table, runs)
    assert (table[0, 6], runs.tolist(), made_before.is_file()) == (2, [[2, 0]], True)


def refuse(*_: Any) -> bytes:
    """Say that it cannot be done."""
    raise NotImplementedError("machine code without numba_do_raise")


def test_a_user_without_a_home_has_one_place_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service in a container often has none."""
    both = native._places()

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert native._places() == both[:1]


@pytest.mark.parametrize("spoil", ["float", "gaps"])
def test_an_array_of_another_kind_is_refused(spoil: str) -> None:
    """Machine code would read what is not there."""
    import numpy as np

    table = np.zeros((2, 26)) if spoil == "float" else np.zeros((4, 52), dtype=np.int64)[::2, ::2]
    with pytest.raises(ValueError, match="numbers that follow each other"):
        new_kernel()(table, np.zeros((1, 2), dtype=np.int64))


@COMPILER
def test_small_logs_are_compiled_only_if_it_was_done_before(made_before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Translating takes seconds, loading does not."""
    monkeypatch.setattr(speed, "_version", lambda: "v")
    assert speed.compile_bytes() == speed.LOAD_BYTES
    made_before.unlink()
    assert speed.compile_bytes() == speed.COMPILE_BYTES


@COMPILER
def test_numba_is_not_imported_for_what_was_made_before(tmp_path: Path) -> None:
    """Its import takes as long as reading a million lines."""
    log = tmp_path / "log"
    log.write_bytes(b"1700000000.000000000 new msg 5\n1700000001.000000000 end msg 5\n" * 100)
    script = (
        "import sys; from indimail_kit.logs import read_blocks\n"
        "for count in range(2): lines = sum(len(one) for one in read_blocks(sys.argv[1], compiled=True))\n"
        "print(lines, 'numba' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(log)]
    subprocess.run(command, capture_output=True, check=True, timeout=300)
    assert subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout == "200 False\n"
