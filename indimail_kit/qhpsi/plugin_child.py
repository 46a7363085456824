"""The child process that loads scanner plugins: what /usr/sbin/qhpsi does for ``plugin:``.

Run as ``python -I -S plugin_child.py HOME PLUGINDIR SYMBOL MESSAGE NAME…``; never imported by the room.

Source: IndiMail indimail-mta-x/qhpsi.c, exit codes and texts included.

Deviation: qhpsi prints its texts only with DEBUG set; here they are always written, and the parent keeps them.
"""

from __future__ import annotations

import os
import signal
import sys


def _say(text: bytes) -> None:
    """Write a line to standard error."""
    os.write(2, b"qhpsi: fatal: " + text + b"\n")


def run_plugins(home: bytes, plugin_dir: bytes, symbol: bytes, message: bytes, names: list[bytes]) -> int:
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
        try:
            plugin = ctypes.CDLL(os.fsdecode(path), mode=os.RTLD_LAZY | os.RTLD_GLOBAL)
        except OSError as error:
            _say(b"dlopen: " + path + b": " + os.fsencode(str(error)))
            return 57
        try:
            function = plugin[os.fsdecode(symbol)]
        except AttributeError as error:
            _say(b"dlsym: " + path + b": " + os.fsencode(str(error)))
            return 58
        function.argtypes = [ctypes.c_char_p]
        function.restype = ctypes.c_int
        result = int(function(message))
        if result != 0:
            return result
    return result


if __name__ == "__main__":
    _home, _plugin_dir, _symbol, _message, *_names = (os.fsencode(word) for word in sys.argv[1:])
    os._exit(run_plugins(_home, _plugin_dir, _symbol, _message, _names) & 0xFF)
