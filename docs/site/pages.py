"""The pages that people wrote, made ready for the site: Markdown of the repository, and notebooks without running them.

Rule 1: a link to a page of the site leads there; one to another file of the repository becomes its words, for the site
has only pages.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

START: Final = "README.md"
"""What everybody reads first; it becomes the start page."""

_LINK: Final = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?://)([^)#\s]*)(#[^)\s]*)?\)")
_FENCE: Final = re.compile(r"^(\s*)(```|~~~)")


def written_pages(root: Path) -> dict[str, str]:
    """Return repository path -> page of the site (without ending) for everything that people wrote.

    The start page is README.md; a folder's README.md is the page of the folder.
    """
    found = [root / START, root / "CHANGELOG.md", root / "CONTRIBUTING.md"]
    found += [*sorted((root / "docs").rglob("*.md")), root / "notebooks" / START]
    found += sorted((root / "notebooks").glob("*.ipynb"))
    names = {path.relative_to(root).as_posix(): path for path in found if "site" not in path.relative_to(root).parts}
    pages = {name: posixpath.splitext(name)[0].removeprefix("docs/") for name in names}
    return {name: "index" if name == START else page.replace("README", "index").lower() for name, page in pages.items()}


def places(root: Path, references: Iterable[str]) -> dict[str, str]:
    """Return repository path -> file of the site for every link that can be kept: written pages, folders, rooms."""
    pages = {name: f"{page}.md" for name, page in written_pages(root).items()}
    folders = {posixpath.dirname(name): page for name, page in pages.items() if posixpath.basename(name) == START}
    rooms = {f"indimail_kit/{page.removeprefix('reference/')}": f"{page}.rst" for page in references}
    lists = {f"docs/{name}": f"{name}/index.md" for name in ("decisions", "teaching")}
    return {**rooms, "indimail_kit/cli": "reference/commands.md", "docs": "index.md", **lists, **folders, **pages}


def rewrite_links(text: str, *, page: str, source: str, places: Mapping[str, str]) -> str:
    """Return Markdown whose links lead to pages of the site, or are only words."""

    def one(match: re.Match[str]) -> str:
        words, path, anchor = match[1], match[2], match[3] or ""
        if not path:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if target not in places:
            return words
        return f"[{words}]({posixpath.relpath(places[target], posixpath.dirname(page) or '.')}{anchor})"

    inside = False
    lines = []
    for line in text.split("\n"):
        inside ^= bool(_FENCE.match(line))
        lines.append(line if inside else _LINK.sub(one, line))
    return "\n".join(lines)


def notebook_text(octets: str) -> str:
    """Return a notebook as Markdown: its words as they are, its code as code; nothing is run.

    Raises:
        ValueError: It is no notebook.
    """
    parts = []
    for cell in json.loads(octets)["cells"]:
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
    title, _, rest = "\n\n".join(parts).partition("\n")
    note = "*The notebook as it is before anybody has run it. To run it:* `make lab`"
    return f"{title}\n\n{note}\n{rest}\n"
