"""What a notebook's kernel does behind the last cell: a canary password goes everywhere where a password can go.

Into every widget that takes one from a browser, into a login at every lab by every mechanism, into a typed session, and
into errors whose tracebacks are shown. Then it tells what it did, which files hold the canary in any form, on what this
kernel and everything it started listens, and who they are. The canary comes by the environment: no cell names it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "INDIMAIL_KIT_CANARY"
"""Environment variable with the canary."""


def forms_of(canary: str) -> dict[str, str]:
    """Return every form in which a password could show: raw, Base64 at each of the three places, hex, MD5."""
    octets = canary.encode()
    shifted = {
        f"base64, {ahead} ahead": base64.b64encode(b"\0" * ahead + octets)
        .decode()[(4 if ahead else 0) : -4]
        .rstrip("=")
        for ahead in range(3)
    }
    return {
        "raw": canary,
        "hex": octets.hex(),
        "md5": hashlib.md5(octets, usedforsecurity=False).hexdigest(),
        "backwards": canary[::-1],
        **shifted,
    }


def widgets() -> list[Any]:
    """Return every widget of this kernel."""
    from ipywidgets.widgets import widget

    return list(widget._instances.values())


def use(names: dict[str, Any]) -> dict[str, object]:
    """Use the canary; return what was done and found."""
    from IPython import get_ipython
    from listeners import descendants, listeners

    import indimail_kit as kit

    canary = os.environ[VARIABLE]
    used: list[str] = []
    octets = base64.b64encode(b"\0ann@example.com\0" + canary.encode()).decode()
    for one in widgets():
        if type(one).__module__.startswith("indimail_kit."):
            one._handle_custom_msg({"secret": canary}, [])
            used.append(f"typed into {type(one).__name__}")
        if type(one).__name__ == "SmtpConsole":
            for line in (
                "EHLO x",
                f"AUTH PLAIN {octets}",
                "AUTH LOGIN",
                "YW5u",
                base64.b64encode(canary.encode()).decode(),
            ):
                with contextlib.suppress(kit.errors.KitError):
                    one.say(line)
            used.append(f"said to {type(one).__name__}")
    labs = [one for one in names.values() if isinstance(one, kit.lab.Lab) and one.is_running]
    for lab in labs:
        for mechanism in ("LOGIN", "PLAIN", "CRAM-MD5"):
            lab.send(passwd=canary, mechanism=mechanism)
            used.append(f"{mechanism} at a lab")
    for fail in failures(kit, canary, octets):
        try:
            fail()
        except Exception:  # every one: what is shown of it is looked at
            get_ipython().showtraceback()
            used.append("a traceback")
    forms = forms_of(canary)
    files = [path for lab in labs for path in Path(lab.directory).rglob("*") if path.is_file()]
    family = descendants(os.getpid())
    return {
        "used": used,
        "in files": sorted(
            {name for path in files for name, form in forms.items() if form.encode() in path.read_bytes()}
        ),
        "files": len(files),
        "listeners": listeners(family),
        "family": family,
    }


def failures(kit: Any, canary: str, octets: str) -> list[Callable[[], object]]:
    """Return calls that fail with a password in their hands."""
    return [
        lambda: kit.auth.plain.decode(octets[:-3] + "!"),
        lambda: kit.auth.UserTable(f"mysql+pymysql://root:{canary}@127.0.0.1:1/none").accounts(),
        lambda: kit.auth.plain.encode(authcid="a\0b", passwd=canary),
        lambda: kit.auth.cram.respond("!", authcid="ann", passwd=canary, hash_name="md5"),
        lambda: kit.lab.Lab(scanner="embedded").send(passwd=canary),
    ]
