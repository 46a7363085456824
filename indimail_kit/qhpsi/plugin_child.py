"""The child process that loads scanner plugins: what /usr/sbin/qhpsi does for ``plugin:``.

Run as ``python -I -S plugin_child.py HOME PLUGINDIR SYMBOL MESSAGE USER GROUP NAME…``; never imported by the room.
USER and GROUP are the numbers to become, both "-" to stay.

Source: IndiMail indimail-mta-x/qhpsi.c, exit codes and texts included.

Note for maintainers: the interpreter may lie where the scanner's user cannot go (a virtual environment below /root),
and so may the plugins of a lab. So both are opened before the rights are given up; code of a plugin, its
constructors included, runs after that only.

Deviation: qhpsi prints its texts only with DEBUG set; here they are always written, and the parent keeps them.
"""

from __future__ import annotations

import os
import signal
import sys

EXEC_FAILED = 75
"""Exit code when no plugin could be asked, as elsewhere in this room."""


def _say(text: bytes) -> None:
    """Write a line to standard error."""
    os.write(2, b"qhpsi: fatal: " + text + b"\n")


def open_plugins(home: bytes, plugin_dir: bytes, names: list[bytes]) -> dict[bytes, int | OSError]:
    """Open each plugin for reading; what cannot be opened is told when its turn comes."""
    opened: dict[bytes, int | OSError] = {}
    for name in names:
        if b"/" not in name and name not in opened:
            try:
                opened[name] = os.open(b"/".join((home, plugin_dir, name)), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                opened[name] = error
    return opened


def become(user: int, group: int) -> None:
    """Give up root for good, supplementary groups included."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def run_plugins(
    home: bytes,
    plugin_dir: bytes,
    symbol: bytes,
    message: bytes,
    names: list[bytes],
    opened: dict[bytes, int | OSError],
) -> int:
    """Call the plugins in order and return qhpsi's exit code.

    Returns:
        The first result other than 0, else 0; -1 without a plugin; 57 dlopen, 58 symbol, 87 a slash where none may be.
    """
    # Python ignores SIGPIPE; a plugin that starts programs expects the default.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    import ctypes

    if b"/" in plugin_dir:
        _say(b"PLUGINDIR holds a slash: " + plugin_dir)
        return 87
    result = -1
    for name in names:
        if b"/" in name:
            _say(b"plugin name holds a slash: " + name)
            return 87
        path = b"/".join((home, plugin_dir, name))
        descriptor = opened.get(name)
        if isinstance(descriptor, OSError):
            _say(b"dlopen: " + path + b": cannot open shared object file: " + os.fsencode(str(descriptor.strerror)))
            return 57
        place = os.fsdecode(path) if descriptor is None else f"/proc/self/fd/{descriptor}"
        try:
            plugin = ctypes.CDLL(place, mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
        except OSError as error:
            _say(b"dlopen: " + path + b": " + os.fsencode(str(error)).replace(os.fsencode(place), path))
            return 57
        try:
            function = plugin[os.fsdecode(symbol)]
        except AttributeError as error:
            _say(b"dlsym: " + path + b": " + os.fsencode(str(error)).replace(os.fsencode(place), path))
            return 58
        function.argtypes = [ctypes.c_char_p]
        function.restype = ctypes.c_int
        result = int(function(message))
        if result != 0:
            return result
    return result


def main(arguments: list[bytes]) -> int:
    """Do all of it; whatever goes wrong here is no scanner's answer and ends as a failed start.

    Returns:
        The exit code. 75 for a fault of ours: Python's own 1 would be read as a virus.
    """
    try:
        home, plugin_dir, symbol, message, user, group, *names = arguments
        opened: dict[bytes, int | OSError] = {}
        if user != b"-":
            import ctypes  # noqa: F401 - while the standard library is still in reach

            opened = open_plugins(home, plugin_dir, names)
            become(int(user), int(group))
        return run_plugins(home, plugin_dir, symbol, message, names, opened) & 0xFF
    except Exception as error:  # the parent must not take a traceback for a verdict
        _say(os.fsencode(f"{type(error).__name__}: {error}"))
        return EXEC_FAILED


if __name__ == "__main__":
    os._exit(main([os.fsencode(word) for word in sys.argv[1:]]))
