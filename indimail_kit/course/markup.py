"""What a learner is told, as HTML: the same words as the repr, through the one escaping door.

Rule 1: elements without classes, so that it needs no style sheet and takes the notebook's own look, light or dark.
"""

from __future__ import annotations

from indimail_kit.wiring import provider


def sentence_html(lead: str, sentence: str, *, code: str = "") -> str:
    """Return a paragraph whose first words stand out, and what is to be read literally below it."""
    tag = provider("tag")
    below = (tag("pre", provider("block")(code)),) if code else ()
    # Between backticks stands what is typed; the sentences are ours, so the backticks come in pairs.
    words = (tag("code", part) if place % 2 else part for place, part in enumerate(f" {sentence}".split("`")))
    return str(tag("div", tag("p", tag("strong", lead), *words), *below))


def lines_html(text: str) -> str:
    """Return several lines as they are."""
    return str(provider("tag")("pre", provider("block")(text)))
