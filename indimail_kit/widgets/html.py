r"""The one escaping door: every character of HTML that the kit shows is made here.

Mail, log lines and file names are hostile text on an administrator's screen. So a widget never writes markup; it says
``tag("span", text, cls="ik-value")`` and gets an `Html` value, in which the text is text and nothing else.

Source: THREATS, row 1; HTML Living Standard, "Parsing HTML documents"; Unicode Standard Annex 9 (bidirectional text).

Rule 1: only this module makes an `Html`; the class refuses to be built elsewhere.
Rule 2: tags, classes and attributes come from closed sets; no id, name or data-* is among
   them, and none may come from data.
   The one image is `picture`: drawn by the kit, its octets in the page, so that it loads nothing and runs nothing.
Rule 3: control, bidirectional and invisible characters are shown as what they are: ``\x1b``, ``<U+202E>``.
"""

from __future__ import annotations

import base64
import functools
import importlib.resources
import re
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Final

from indimail_kit.visible import is_hidden, visible

_STRUCTURE: Final = ("article", "details", "div", "section", "summary")
_TEXT: Final = ("button", "code", "p", "pre", "span", "strong", "time")
_LISTS: Final = ("dd", "dl", "dt", "li", "ol", "ul")
_TABLES: Final = ("caption", "table", "tbody", "td", "th", "thead", "tr")
TAGS: Final = frozenset((*_STRUCTURE, *_TEXT, *_LISTS, *_TABLES))
"""Every element that may appear; none of them loads, runs or submits anything."""

FREE_TEXT: Final = re.compile(r"[\s\S]*")
"""An attribute that holds text for a person: anything, escaped and made visible."""

ATTRIBUTES: Final = {
    "aria-current": re.compile(r"true|step"),
    "aria-hidden": re.compile(r"true"),
    "aria-label": FREE_TEXT,
    "aria-level": re.compile(r"[2-6]"),
    "colspan": re.compile(r"[1-9][0-9]?"),
    "datetime": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}Z"),
    "open": re.compile(r""),
    "role": re.compile(r"group|heading|img|list|listitem|note|region|status"),
    "scope": re.compile(r"col|row"),
    "tabindex": re.compile(r"0"),
    "title": FREE_TEXT,
    "type": re.compile(r"button"),
}
"""Attribute -> what its value must match wholly. `class` has its own closed set, the style sheet's."""

STYLES: Final = ("style.css", "scan.css", "queue.css", "tape.css", "log.css", "trace.css")
"""Files of the style sheet, in this order: what all views share, then a scan's, a queue's, a tape's, a log's and a
trace's."""

_CLASS: Final = re.compile(r"\.(ik-[a-z0-9-]+)")
_KEY: Final = object()
_PNG: Final = b"\x89PNG\r\n\x1a\n"


class Html:
    """Markup that has gone through the door; made by the functions of this module only."""

    __slots__ = ("_markup",)

    def __init__(self, markup: str, *, key: object) -> None:
        if key is not _KEY:
            raise TypeError("Html is made by the functions of indimail_kit.widgets.html only")
        self._markup = markup

    def __str__(self) -> str:
        """Return the markup."""
        return self._markup

    def __repr__(self) -> str:
        """Return a few words; the markup itself is for a browser."""
        return f"<Html, {len(self._markup)} characters>"

    def __eq__(self, other: object) -> bool:
        """Compare the markup."""
        return isinstance(other, Html) and other._markup == self._markup

    def __hash__(self) -> int:
        """Return the hash of the markup."""
        return hash(self._markup)

    def _repr_html_(self) -> str:
        return self._markup


EMPTY: Final = Html("", key=_KEY)
"""Nothing at all."""


def _marked(value: str, *, kept: str) -> str:
    """Escape a text; hidden characters are written out and marked, so that they differ from the same text typed."""
    if value.isprintable():
        return escape(value)
    runs = groupby(value, key=functools.partial(is_hidden, kept=kept))
    return "".join(
        f'<span class="ik-hidden-char">{escape(visible("".join(run)))}</span>' if hidden else escape("".join(run))
        for hidden, run in runs
    )


def text(value: str) -> Html:
    """Return one line of text as markup; a line end in it is shown, too."""
    return Html(_marked(value, kept=""), key=_KEY)


def block(value: str) -> Html:
    """Return text of several lines as markup: CR LF and LF end a line, a tab stays, a bare CR is shown."""
    lines = value.replace("\r\n", "\n").split("\n")
    return Html("\n".join(_marked(line, kept="\t") for line in lines), key=_KEY)


def join(parts: Iterable[Html | str], *, separator: str = "") -> Html:
    """Return the parts one after the other; strings are escaped."""
    return Html(escape(separator).join(str(_as_html(part)) for part in parts), key=_KEY)


def _as_html(part: Html | str) -> Html:
    return part if isinstance(part, Html) else text(part)


@functools.cache
def style_sheet() -> str:
    """Return the kit's style sheet; the one place that loads it."""
    folder = importlib.resources.files(__package__)
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in STYLES)


@functools.cache
def style_classes() -> frozenset[str]:
    """Return the classes that the style sheet knows; no other may be used."""
    return frozenset(_CLASS.findall(style_sheet()))


def style_element() -> Html:
    """Return the style sheet as an element, for HTML that stands alone."""
    return Html(f"<style>{style_sheet()}</style>", key=_KEY)


def _class_attribute(cls: str) -> str:
    unknown = set(cls.split()) - style_classes()
    if unknown:
        raise ValueError(f"classes that style.css does not know: {', '.join(sorted(map(visible, unknown)))}")
    return f' class="{cls}"' if cls else ""


def _attribute(name: str, value: str) -> str:
    allowed = ATTRIBUTES.get(name)
    if allowed is None or not allowed.fullmatch(value):
        raise ValueError(f"attribute {visible(name)} or its value is not in the closed set")
    return f' {name}="{escape(visible(value))}"'


def tag(name: str, /, *children: Html | str, cls: str = "", **attributes: str) -> Html:
    """Return one element; every string child is text.

    Args:
        name: One of TAGS.
        children: Text, or markup that has gone through the door.
        cls: Classes of the style sheet, separated by blanks.
        attributes: Attributes of ATTRIBUTES, ``_`` for ``-``.

    Raises:
        ValueError: A tag, class, attribute or attribute value is not in its closed set (a programmer's error).

    Example:
        >>> print(tag("strong", "<script>", cls="ik-value", title="from the mail"))
        <strong class="ik-value" title="from the mail">&lt;script&gt;</strong>
    """
    if name not in TAGS:
        raise ValueError(f"tag {visible(name)} is not in the closed set")
    written = "".join(_attribute(key.replace("_", "-"), value) for key, value in attributes.items())
    # The parser drops one newline right after <pre>: give it one to drop.
    lead = "\n" if name == "pre" else ""
    return Html(f"<{name}{_class_attribute(cls)}{written}>{lead}{join(children)}</{name}>", key=_KEY)


def picture(png: bytes, alt: str, *, cls: str = "") -> Html:
    """Return a picture that the kit drew, with its words; its octets stand in the page.

    Args:
        png: A PNG: in such an image nothing runs.
        alt: What it shows, for who does not see it.
        cls: Classes of the style sheet, separated by blanks.

    Raises:
        ValueError: It is no PNG, or a class is not in its closed set (a programmer's error).
    """
    if not png.startswith(_PNG):
        raise ValueError("a picture that is no PNG")
    octets = base64.b64encode(png).decode("ascii")
    return Html(
        f'<img{_class_attribute(cls)} alt="{escape(visible(alt))}" src="data:image/png;base64,{octets}">', key=_KEY
    )


def shortened(value: str, *, limit: int = 48) -> Html:
    """Return a long value shortened in the middle; the whole appears on hover and on keyboard focus.

    Args:
        value: Any text.
        limit: Longest text that stays whole (unit: characters).
    """
    if len(value) <= limit:
        return text(value)
    half = (limit - 1) // 2
    return tag(
        "span",
        tag("span", f"{value[:half]}…{value[-half:]}", cls="ik-cut", aria_hidden="true"),
        tag("span", value, cls="ik-whole"),
        cls="ik-short",
        tabindex="0",
    )
