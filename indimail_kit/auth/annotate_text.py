r"""An explanation for a terminal: aligned, one block a line of the dialogue, and the result first.

Rule 1: control characters are made visible (`visible`), a NUL as ``\\0``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from indimail_kit.auth.annotate_model import MASK
from indimail_kit.visible import visible

if TYPE_CHECKING:
    from indimail_kit.auth.annotate_model import Explanation, Part, Step

WIDTH: Final = 100
"""Where sentences are broken (unit: characters)."""

_SIGNS: Final = {"client": "C", "server": "S", "note": " "}
_INDENT: Final = 10
_TEXT_WIDTH: Final = 44
_HINT: Final = "Secrets are masked (****); --show-secrets shows them."


def format_explanation(explanation: Explanation) -> str:
    """Return the whole text, without a line end."""
    blocks = [_head(explanation), *_logins(explanation), ""]
    steps = list(explanation.steps)
    at = 0
    while at < len(steps):
        run = _quiet_run(steps, at)
        if run > 3:
            blocks += [
                *_block(steps[at]),
                f"{'':>{_INDENT}}… {run - 2} more lines of this kind …",
                *_block(steps[at + run - 1]),
            ]
            at += run
        else:
            blocks += _block(steps[at])
            at += 1
    if any(MASK in step.raw for step in steps) and not explanation.shows_secrets:
        blocks += ["", _HINT]
    return "\n".join(blocks)


def _head(explanation: Explanation) -> str:
    count = len(explanation.summary)
    logins = {0: "no login", 1: "one login"}.get(count, f"{count} logins")
    return f"Read as: {explanation.format}; {len(explanation.steps)} lines, {logins}."


def _logins(explanation: Explanation) -> Iterable[str]:
    for sentence in explanation.summary:
        yield from textwrap.wrap(
            visible(sentence), WIDTH, initial_indent="► ", subsequent_indent="  ", break_on_hyphens=False
        )


def _quiet_run(steps: list[Step], start: int) -> int:
    """Return how many steps from here on have nothing to say and come from the same side."""
    end = start
    while end < len(steps) and _is_quiet(steps[end]) and steps[end].direction == steps[start].direction:
        end += 1
    return end - start


def _is_quiet(step: Step) -> bool:
    return not step.parts and (not step.verdict or step.direction == "note")


def _block(step: Step) -> list[str]:
    """Return the lines of one step."""
    if step.direction == "note" and not step.raw.strip():
        return []
    lines = [f"{step.line:>5}  {_SIGNS[step.direction]}  {_shown(step.raw)}"]
    if step.direction == "note" and step.raw == MASK:
        lines[0] += f"  ({step.verdict.rstrip('.')})"
    if step.decoded not in ("", step.raw) or (step.parts and MASK in step.raw):
        lines += _parts(step.parts)
    if step.verdict and (step.direction != "note"):
        lines += textwrap.wrap(
            visible(step.verdict),
            WIDTH,
            initial_indent=f"{'':>{_INDENT}}► ",
            subsequent_indent=f"{'':>{_INDENT}}  ",
            break_on_hyphens=False,
        )
    return lines


def _parts(parts: tuple[Part, ...]) -> list[str]:
    """Return a row for each part, in three columns."""
    rows = [(_shown(part.text), part.role, part.source) for part in parts if part.role not in _UNTOLD]
    width = min(max((len(text) for text, _, _ in rows), default=0), _TEXT_WIDTH)
    role_width = max((len(role) for _, role, _ in rows), default=0)
    lines = []
    for number, (text, role, source) in enumerate(rows):
        branch = "└─" if number == len(rows) - 1 else "├─"
        if len(text) > _TEXT_WIDTH:
            text = text[: _TEXT_WIDTH - 1] + "…"
        lines.append(f"{'':>{_INDENT}}{branch} {text:<{width}}  {role:<{role_width}}  {source}".rstrip())
    return lines


_UNTOLD: Final = frozenset({"command", "separator", "reply code", "attribute name", "directive name"})
"""Roles that a person sees without being told."""


def _shown(text: str) -> str:
    return visible(text).replace("\\x00", "\\0")
