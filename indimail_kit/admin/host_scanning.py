"""What the QHPSI variables of a service, or of a rule of tcp.smtp, lead to: pitfalls of `qhpsi.explain` as findings.

Rule 1: files are looked at; nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from indimail_kit.admin.host_findings import Area, Finding
from indimail_kit.qhpsi.explanation import explain
from indimail_kit.qhpsi.pitfalls import Danger

_KEYS: Final = {Danger.PASSES: "scan-passes", Danger.REFUSES: "scan-refuses", Danger.IGNORED: "scan-note"}
_USUAL: Final = frozenset({"large-unscanned", "access-denied", "stream-limit", "standard-input"})
"""Pitfalls that are there on purpose on many hosts, or that depend on what cannot be seen here: a note, no alarm."""


def argv_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what QHPSI hands to qhpsi; empty without a QHPSI."""
    return explain(environ).argv if "QHPSI" in environ else ()


def told_of_scanning(
    environ: Mapping[str, str], *, area: Area, subject: str, look: tuple[str, ...]
) -> Iterator[Finding]:
    """Tell what is wrong, or surprising, with the QHPSI variables of an environment; nothing without a QHPSI.

    Args:
        environ: The variables.
        area: Where they were found.
        subject: Whose they are.
        look: Command lines that show more.
    """
    if "QHPSI" not in environ:
        return
    for pitfall in explain(environ, is_looking=True).warnings:
        key = "scan-note" if pitfall.key in _USUAL else _KEYS[pitfall.danger]
        text = f"{subject}, {', '.join(pitfall.variables)}: {pitfall.text}"
        danger = pitfall.danger.value
        yield Finding(key, area, subject, text, look, f"{danger[0].upper()}{danger[1:]}.")
