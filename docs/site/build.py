"""Build the documentation: ``make docs``. Offline; what is built asks for nothing from outside.

Pages are put together in a directory of their own, from docs/, the notebooks and the code, and handed to Sphinx, for
which every warning is an error.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pages import notebook_text, places, rewrite_links, written_pages
from reference import api_pages
from sphinx.cmd.build import build_main
from tables import commands_page, forms_page, tables_page

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = ROOT / "docs" / "site"

CONTENTS: Final = (
    ("Read", ("rooms", "interface", "glossary", "sources", "security", "changelog")),
    ("Reference", ("reference/commands", "reference/columns", "reference/log_lines", "reference/index")),
    ("Learn and teach", ("notebooks/index", "teaching/index")),
    ("Take part", ("contributing", "decisions/index")),
)
"""Title and pages of each group, as the side bar has them."""


def toctree(pages: list[str], *, caption: str = "", depth: int = 1) -> str:
    """Return a table of contents for Sphinx in Markdown; with a caption it stands in the side bar only."""
    options = [":hidden:", f":caption: {caption}"] if caption else []
    return "\n".join(
        [
            "",
            "```{toctree}",
            f":maxdepth: {depth}",
            ":titlesonly:",
            *options,
            "",
            *(f"/{page}" for page in pages),
            "```",
            "",
        ]
    )


def contents(files: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the groups of the side bar; a new page of docs/ that is in none of them comes into the first."""
    placed = {page for _, pages in CONTENTS for page in pages}
    others = [page for page in sorted(name.rpartition(".")[0] for name in files) if "/" not in page]
    more = [page for page in others if page not in placed and page != "index"]
    return [(title, [*pages, *(more if not at else [])]) for at, (title, pages) in enumerate(CONTENTS)]


def assemble(out: Path) -> None:
    """Put every page together in a directory."""
    references = api_pages()
    known = places(ROOT, references)
    texts: dict[str, str] = {f"{page}.rst": text for page, text in references.items()}
    for source, page in written_pages(ROOT).items():
        text = (ROOT / source).read_text(encoding="utf-8")
        text = notebook_text(text) if source.endswith(".ipynb") else text
        texts[f"{page}.md"] = rewrite_links(text, page=page, source=source, places=known)
    texts["reference/commands.md"] = commands_page()
    texts["reference/columns.md"] = tables_page()
    texts["reference/log_lines.md"] = forms_page()
    rooms = [page for page in references if page.count(".") == 0]
    texts["reference/index.md"] = "# The Python interface\n\nEvery public name, room by room.\n" + toctree(rooms)
    for folder in ("notebooks", "decisions", "teaching"):
        name = f"{folder}/index.md"
        inside = sorted(page[:-3] for page in texts if page.startswith(f"{folder}/") and page != name)
        texts[name] = texts.get(name, f"# {folder.capitalize()}\n") + toctree(inside)
    texts["index.md"] += "".join(toctree(pages, caption=title) for title, pages in contents(texts))
    for name, text in texts.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", out / "docs" / "images")


def main() -> int:
    """Build the site; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "build" / "docs", help="folder for the site")
    out: Path = parser.parse_args().out
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "source"
        assemble(source)
        cache = Path(directory) / "cache"
        return build_main(["-W", "--keep-going", "-q", "-E", "-c", str(HERE), "-d", str(cache), str(source), str(out)])


if __name__ == "__main__":
    sys.exit(main())
