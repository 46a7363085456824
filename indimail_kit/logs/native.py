"""Kernels as machine code: numba translates them once, and later processes load what it made without numba.

    numba: kernel -> LLVM's text -> object file, kept          (seconds, once after an installation)
    llvmlite: object file -> memory -> ctypes                  (0.05 s, each process)

numba itself takes 0.3 s to import and to find what it kept, and as much memory as a block of a log fifty times over; a
short log is read in that time. So it is imported only when there is something to translate.

Note for maintainers: machine code is loaded only from a file that nobody but this user or root can have written. Its
name holds a checksum of all that it is made of: the kernels, what they take from other modules, numba, the processor.

Rule 1: a kernel gets C-contiguous arrays of uint8 and int64, whole numbers, and named tuples of arrays.
Rule 2: while machine code runs, other threads of Python run too.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import RLock
from types import FunctionType
from typing import Any, Final

_HEAD_BYTES: Final = 8
"""Checksum of an object file, before it (unit: octets)."""

_lock: Final = RLock()
"""Held while something is translated or loaded: LLVM is asked by one thread at a time."""

FAILED: Final = "failed"
"""Stands for a C function that cannot be made: numba runs such a kernel itself."""

Kernel = Callable[..., Any]


def is_made(version: str) -> bool:
    """Say whether kernels of this version were translated before, so that using them costs little."""
    return any(next(place.glob(f"*-{version}-*.o"), None) for place in _places())


class NativeKernel:
    """One kernel, translated for each set of kinds of arguments that it is called with.

    Attributes:
        kernel: The Python function.
    """

    def __init__(self, kernel: Kernel, all_kernels: tuple[Kernel, ...], version: str) -> None:
        self.kernel = kernel
        self._all_kernels = all_kernels
        self._version = version
        self._functions: dict[tuple[str, ...], Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Run it.

        Raises:
            ValueError: An argument is none of those of rule 1.
        """
        kinds: list[str] = []
        cells: list[int] = []
        for argument in arguments:
            if isinstance(argument, tuple):
                kinds.append(type(argument).__name__)
                for one in argument:
                    _add(one, kinds, cells)
            else:
                _add(argument, kinds, cells)
        function = self._functions.get(tuple(kinds)) or self._function(tuple(kinds), arguments, len(cells))
        return (
            function(*cells) if function is not FAILED else _scope(self._all_kernels)[self.kernel.__name__](*arguments)
        )

    def _function(self, kinds: tuple[str, ...], arguments: tuple[Any, ...], count: int) -> Any:
        """Return the C function for these kinds of arguments: from a file, or translated now; or FAILED."""
        name = f"{self.kernel.__name__}_{zlib.crc32(' '.join(kinds).encode()):08x}"
        address = 0
        # An LLVM whose interface is another one raises what it likes; numba knows its own, and runs the kernel then.
        with _lock, suppress(AttributeError, ImportError, NotImplementedError, RuntimeError, TypeError, ValueError):
            file_name = f"{name}-{self._version}-{_maker()}.o"
            octets = _kept(file_name)
            if octets is None:
                octets = translated(self.kernel, self._all_kernels, arguments, name)
                _keep(file_name, octets)
            address = _address(octets, name)
        made = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)(address) if address else FAILED
        self._functions[kinds] = made
        return made


def _add(argument: Any, kinds: list[str], cells: list[int]) -> None:
    """Add an array as its place and shape, or a number."""
    if isinstance(argument, int):
        kinds.append("number")
        cells.append(argument)
        return
    dtype = argument.dtype.char  # its name takes a hundred times as long
    if dtype not in _TYPES or not argument.flags.c_contiguous:
        raise ValueError(f"an array of {argument.dtype} whose cells are not numbers that follow each other")
    kinds.append(f"{dtype}{argument.ndim}")
    cells.append(argument.__array_interface__["data"][0])
    cells.extend(argument.shape)


_TYPES: Final = {"B": "uint8", "l": "int64"}
"""Types of cells that kernels take, by numpy's letter."""


# Where object files are.


def _places() -> tuple[Path, ...]:
    """Return the directories where object files may be, the preferred one first."""
    beside = Path(__file__).parent / "__pycache__"
    try:
        return beside, Path.home() / ".cache" / "indimail-kit"
    except RuntimeError:  # a user without a home
        return (beside,)


def _kept(file_name: str) -> bytes | None:
    """Return what was kept under a name, if it is whole and ours."""
    for place in _places():
        with suppress(OSError), (place / file_name).open("rb") as file:
            status = os.fstat(file.fileno())
            octets = file.read()
            body = octets[_HEAD_BYTES:]
            is_ours = status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o022
            if is_ours and octets[:_HEAD_BYTES] == b"%08x" % zlib.crc32(body):
                return body
    return None


def _keep(file_name: str, octets: bytes) -> None:
    """Keep octets for later processes; where nothing can be written, each process translates for itself."""
    for place in _places():
        with suppress(OSError):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, new = tempfile.mkstemp(dir=place)  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"%08x" % zlib.crc32(octets) + octets)
                os.fchmod(file.fileno(), 0o644)
            Path(new).replace(place / file_name)
            if place.parent == Path(__file__).parent:
                _forget_others(place, *file_name.split("-")[:2])
            return


def _forget_others(place: Path, name: str, version: str) -> None:
    """Remove what was made of sources that are not here any more."""
    for old in place.glob(f"{name[:-8]}????????-*.o"):  # whatever kinds of arguments it took
        if old.name.split("-")[1] != version:
            old.unlink(missing_ok=True)


# What is made with LLVM.


def _llvm() -> Any:
    return importlib.import_module("llvmlite.binding")  # comes with numba, and has no types


@cache
def _maker() -> str:
    """Return a checksum of what machine code depends on besides its source."""
    llvm = _llvm()
    numba = importlib.util.find_spec("numba")
    parts = (
        llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), sys.version, llvm.llvm_version_info,
        Path(numba.origin).stat().st_mtime_ns if numba and numba.origin else 0,  # its version, without its import
    )  # fmt: skip
    return f"{zlib.crc32(repr(parts).encode()):08x}"


@cache
def _machine() -> Any:
    """Return this machine, as LLVM describes it."""
    llvm = _llvm()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def _address(octets: bytes, name: str) -> int:
    """Load an object file and return the address of its function, 0 if there is none of that name."""
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(octets))
    engine.finalize_object()
    _engines.append(engine)
    return int(engine.get_function_address(name))


_engines: Final[list[Any]] = []
"""What holds the machine code in memory."""


def translated(kernel: Kernel, all_kernels: tuple[Kernel, ...], arguments: tuple[Any, ...], name: str) -> bytes:
    """Return the object file of a kernel: a C function that takes places and shapes, and needs nothing around it.

    Args:
        kernel: What is translated.
        all_kernels: The kernels of its module, each behind those that it calls.
        arguments: Of the kinds that it shall take.
        name: Of the C function.

    Raises:
        NotImplementedError: The machine code would need numba beside it.
    """
    llvm = _llvm()
    numba: Any = importlib.import_module("numba")
    scope = dict(_scope(all_kernels), carray=numba.carray)
    parameters, types, values = _parameters(arguments, scope)
    returned = kernel.__annotations__.get("return") not in (None, "None")
    body = f"{'return ' if returned else ''}{kernel.__name__}({', '.join(values)}){'' if returned else '; return 0'}"
    # numba has no other way to take arrays as places and shapes than parameters for each, so they are written out.
    exec(f"def entry({', '.join(parameters)}): {body}", scope)  # noqa: S102  # made of names of ours and of digits
    entry = numba.cfunc(f"int64({', '.join(types)})")(scope["entry"])
    module = llvm.parse_assembly(entry.inspect_llvm())
    for function in module.functions:
        if not function.is_declaration:
            function.linkage = "internal"  # so that LLVM sees that none of them fails, and drops what reports faults
    function = module.get_function(entry.native_name)
    function.name, function.linkage = name, "external"
    passes = llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    needed = [one.name for one in module.functions if one.is_declaration and not one.name.startswith(_FREE)]
    if needed:
        raise NotImplementedError(f"machine code without {', '.join(needed)}")
    return bytes(_machine().emit_object(module))


_FREE: Final = ("llvm.", "mem")
"""Beginnings of the names that LLVM itself or libc answers for."""


@cache
def _scope(all_kernels: tuple[Kernel, ...]) -> dict[str, Any]:
    """Return the names that kernels see, the kernels among them as numba's functions.

    They make no arrays, so that nobody has to count who holds one: the counting takes two thirds of the time. A numba
    that does not know the option any more counts.
    """
    numba: Any = importlib.import_module("numba")
    scope = {name: value for kernel in all_kernels for name, value in kernel.__globals__.items()}
    for kernel in all_kernels:
        # The copy finds its callees in `scope`, where they are numba's already.
        copy = FunctionType(kernel.__code__, scope, kernel.__name__, kernel.__defaults__)
        try:
            scope[kernel.__name__] = numba.njit(copy, _nrt=False)
        except (KeyError, TypeError):
            scope[kernel.__name__] = numba.njit(copy)
    return scope


def _parameters(arguments: tuple[Any, ...], scope: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Return the parameters of a C function for these arguments, their types, and the arguments made of them."""
    parameters: list[str] = []
    types: list[str] = []

    def made_of(argument: Any) -> str:
        at = f"a{len(parameters)}"
        parameters.append(at)
        if isinstance(argument, int):
            types.append("int64")
            return at
        types.extend([f"CPointer({_TYPES[argument.dtype.char]})", *["int64"] * argument.ndim])
        sizes = [f"{at}_{axis}" for axis in range(argument.ndim)]
        parameters.extend(sizes)
        return f"carray({at}, ({', '.join(sizes)},))"

    values = []
    for argument in arguments:
        if isinstance(argument, tuple):
            scope[type(argument).__name__] = type(argument)
            values.append(f"{type(argument).__name__}({', '.join(map(made_of, argument))})")
        else:
            values.append(made_of(argument))
    return parameters, types, values
