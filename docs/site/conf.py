"""Settings of Sphinx for the pages that `build.py` puts together; nothing is fetched while they are built or read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import indimail_kit as kit

project = "indimail-kit"
author = "the indimail-kit developers"
project_copyright = author
version = release = kit.__version__
language = "en_GB"
smartquotes = False  # quotation marks of programs stay as they are

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4
suppress_warnings = [
    "myst.header",  # the glossary has one kind of heading below its title
    "ref.python",  # a word in backquotes that is a name in several rooms
]
default_role = "py:obj"
highlight_language = "text"
highlight_options = {"default": {"stripall": False}}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
python_maximum_signature_line_length = 88
toc_object_entries = False  # each page copies the entries of all pages: half of the time; a page names its own on top
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Source", "Deviation", "Note for maintainers"]

html_theme = "furo"
html_title = f"indimail-kit {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_use_index = True
html_theme_options = {"top_of_page_buttons": [], "navigation_with_keys": True}


def without_place(
    _app: object, _what: str, _name: str, _value: object, _options: object, *texts: Any
) -> tuple[Any, ...]:
    """Return signature and return type without the place of this working copy, which a default may name."""
    here = f"{Path(kit.__file__).parents[1]}/"
    return tuple(text.replace(here, "") if text else text for text in texts)


def rules_apart(_app: object, _what: str, _name: str, _value: object, _options: object, lines: list[str]) -> None:
    """Give each "Rule 1: …" of a module a paragraph of its own."""
    for at in range(len(lines) - 1, 0, -1):
        if re.match(r"Rule [1-9]: ", lines[at]) and lines[at - 1].strip():
            lines.insert(at, "")


def setup(app: Any) -> None:
    """Hang our functions into Sphinx."""
    app.connect("autodoc-process-docstring", rules_apart)
    app.connect("autodoc-process-signature", without_place)
