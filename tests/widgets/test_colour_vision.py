"""Roles for people who see colours in another way, with the matrices of Machado, Oliveira and Fernandes (2009)."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest

import indimail_kit.widgets as room

FOLDER = Path(room.__file__).parent

VISIONS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Way of seeing -> what it makes of linear red, green and blue. Source: IEEE TVCG 15(6), 2009, severity 1.0."""

FAMILIES = {"bytes of a login": r"\.ik-role-([a-z])", "records of a queue file": r"\.ik-queue-f-([a-z])"}
"""What the roles belong to -> how their rules in our style sheets begin."""

LEAST_DISTANCE = 7.0
"""Distance of two colours that is seen side by side (unit: CIE 1976 Delta E; 2.3 is just noticeable)."""


def rules(pattern: str) -> dict[str, tuple[str, str]]:
    """Return letter -> colour and outline of each role of a family."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.css")))
    found = re.findall(rf"{pattern} \{{ --ik-role: (#[0-9a-f]+); ([^}}]*) \}}", text)
    return {letter: (colour, " ".join(sorted(outline.rstrip("; ").split("; ")))) for letter, colour, outline in found}


def seen(colour: str, vision: str) -> tuple[float, float, float]:
    """Return a colour as this vision sees it, in CIE L*a*b* (D65)."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    mixed = [sum(factor * share for factor, share in zip(row, linear, strict=True)) for row in VISIONS[vision]]
    red, green, blue = (min(1.0, max(0.0, share)) for share in mixed)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("vision", VISIONS)
def test_two_roles_differ_in_colour_and_in_outline(family, vision):
    """Two colours lie apart in every way of seeing; where roles share one, as e and h records do, the outline tells."""
    roles = rules(FAMILIES[family])
    pairs = list(itertools.combinations(sorted(roles), 2))

    alike = [
        (one, other, round(math.dist(seen(roles[one][0], vision), seen(roles[other][0], vision)), 1))
        for one, other in pairs
        if roles[one][0] != roles[other][0]
        and math.dist(seen(roles[one][0], vision), seen(roles[other][0], vision)) < LEAST_DISTANCE
    ]
    same_outline = [pair for pair in pairs if roles[pair[0]][1] == roles[pair[1]][1]]

    assert (len(pairs) >= 20, alike, same_outline) == (True, [], [])
