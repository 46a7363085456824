"""The site as `make docs` builds it, once for all tests of this folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import html5lib
import pytest

ROOT = Path(__file__).resolve().parents[2]
HTML = "{http://www.w3.org/1999/xhtml}"


@dataclass(frozen=True)
class Site:
    """The built site.

    Attributes:
        directory: Where it lies.
        said: What the build said.
        pages: Path of each page -> its tree.
    """

    directory: Path
    said: subprocess.CompletedProcess[str]
    pages: dict[str, object]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Build the site as `make docs` does."""
    out = tmp_path_factory.mktemp("docs") / "site"
    said = subprocess.run(
        [sys.executable, ROOT / "docs/site/build.py", out], capture_output=True, text=True, timeout=300
    )
    pages = {
        path.relative_to(out).as_posix(): html5lib.parse(path.read_bytes()) for path in sorted(out.rglob("*.html"))
    }
    return Site(out, said, pages)
