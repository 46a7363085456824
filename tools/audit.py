"""Ask whether a package of this environment has a known vulnerability: ``make audit``.

Rule 1: never "clean" by accident. pip-audit ends with "No known vulnerabilities found" and exit code 0, too, when it
could not ask about a single package; here a package that nobody could be asked about is an error.

Exit codes: 0 every package was looked up and none has a known vulnerability · 1 one has · 3 it could not be found out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

OURS: Final = "indimail-kit"
"""The one package that no list of advisories knows."""

_LIMIT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found out.

    Attributes:
        looked_up: Packages that were asked about, with their version.
        vulnerable: One line for each vulnerability.
        skipped: Packages that could not be asked about, and why.
    """

    looked_up: tuple[str, ...]
    vulnerable: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """Return 1 for a vulnerability, 3 if anything is not known, 0 only if everything is known and good."""
        return 1 if self.vulnerable else 3 if self.skipped or not self.looked_up else 0


def read_report(text: str) -> Audit:
    """Read what pip-audit writes with ``--format json``.

    Raises:
        ValueError: It is not such a report.
    """
    try:
        packages = [one for one in json.loads(text)["dependencies"] if one["name"] != OURS]
        known = [one for one in packages if "skip_reason" not in one]
        return Audit(
            looked_up=tuple(f"{one['name']} {one['version']}" for one in known),
            vulnerable=tuple(
                f"{one['name']} {one['version']}: {bug['id']}, mended in {_releases(bug['fix_versions'])}"
                for one in known
                for bug in one["vulns"]
            ),
            skipped=tuple(f"{one['name']}: {one['skip_reason']}" for one in packages if "skip_reason" in one),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no report of pip-audit: {text[:80]!r}") from error


def _releases(versions: list[str]) -> str:
    return ", ".join(versions) or "no release"


def main() -> int:
    """Ask pip-audit, print what it found out, return the exit code."""
    argv = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        audit = read_report(said.stdout)
    except subprocess.TimeoutExpired:
        print(f"audit: pip-audit did not end within {_LIMIT_S:.0f} s", file=sys.stderr)  # noqa: T201 - a tool for the terminal
        return 3
    except ValueError as error:
        last = said.stderr.strip().splitlines()[-1:]
        print(f"audit: {error}; {' '.join(last)}", file=sys.stderr)  # noqa: T201
        return 3
    for line in audit.vulnerable:
        print(f"vulnerable: {line}")  # noqa: T201
    for line in audit.skipped[:3]:
        print(f"not known: {line}")  # noqa: T201
    counts = (
        f"{len(audit.looked_up)} looked up, {len(audit.vulnerable)} vulnerabilities, {len(audit.skipped)} not known"
    )
    print(f"audit: {counts}")  # noqa: T201
    return audit.exit_code


if __name__ == "__main__":
    sys.exit(main())
