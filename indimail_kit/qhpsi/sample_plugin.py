"""The sample plugin of the lesson: C that ships with the kit, made into a shared object where a compiler is.

Source: IndiMail indimail-mta-x/qhpsi.c (`int (*func) (const char *)`), generic.c.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from indimail_kit.errors import MissingPartError, ScanError

SAMPLE_SOURCE: Final = Path(__file__).with_name("sample_plugin.c")
"""The plugin's source, to be read and changed."""

_TIMEOUT_S: Final = 60.0
"""Longest compilation (unit: s); it takes a tenth of a second."""


def find_compiler(path: str | None = None) -> str | None:
    """Return a C compiler, or None.

    Args:
        path: PATH to search; None = the one of this process.
    """
    import shutil

    return next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name, path=path))), None)


def compile_sample_plugin(
    directory: str | Path, *, name: str = "sample.so", source: str | Path = SAMPLE_SOURCE, compiler: str | None = None
) -> Path:
    """Make a plugin from C and put it where QHPSI="plugin: sample.so" finds it.

    Args:
        directory: The plugins directory: PLUGINDIR below IndiMail's home, or ``lab.directory / "plugins"``; it is made
            if need be.
        name: Name of the shared object.
        source: The C file; the sample by default.
        compiler: The compiler; None = look for one.

    Returns:
        The shared object.

    Raises:
        MissingPartError: There is no C compiler.
        ScanError: The compiler refuses the source (the text quotes it).
        OSError: The directory cannot be written.
    """
    import subprocess

    program = compiler or find_compiler()
    if program is None:
        raise MissingPartError("a C compiler", "Install one: apt-get install --no-install-recommends gcc libc6-dev.")
    Path(directory).mkdir(parents=True, exist_ok=True)
    target = Path(directory) / name
    argv = [program, "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", str(target), str(source)]
    try:
        ended = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise ScanError(f"{source}: not compiled within {_TIMEOUT_S:g} s") from None
    if ended.returncode != 0:
        raise ScanError(f"{source}: the C compiler refuses it: {ended.stderr.strip()}")
    # Whatever the umask: the scanner's user must be able to read it.
    target.chmod(0o755)
    return target
