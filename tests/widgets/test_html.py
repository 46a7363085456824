"""The escaping door: text in, text out, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indimail_kit.visible import visible
from indimail_kit.widgets import html
from indimail_kit.widgets.html import Html, block, join, shortened, style_classes, style_sheet, tag, text

ANY_TEXT = st.text(st.characters(exclude_categories=()))


def test_more_than_ten_thousand_hostile_strings_are_tried(hostile_strings):
    """The threat table asks for ten thousand; each is another string."""
    assert len(set(hostile_strings)) > 10_000


def test_hostile_text_brings_no_element_and_no_attribute(hostile_strings, strangers):
    """Every hostile string as text of an element adds nothing to the page."""
    markup = str(join(tag("p", value) for value in hostile_strings))

    assert strangers(markup) == []


def test_hostile_text_in_an_attribute_stays_in_it(hostile_strings, parse):
    """Every hostile string as a title is the title of its element, and of no other."""
    markup = str(join(tag("p", "x", title=value) for value in hostile_strings))

    assert parse(markup).elements == [("p", {"title": visible(value)}) for value in hostile_strings]


@given(value=ANY_TEXT)
def test_text_is_read_back_as_it_was_seen(value, parse):
    """A parser reads out of the door what `visible` says of the text: nothing is lost, nothing is added."""
    assert parse(str(text(value))).text == visible(value)


@given(value=ANY_TEXT)
def test_block_brings_no_element_but_its_marks(value, parse):
    """Raw text of several lines makes no element but the marks around hidden characters."""
    elements = parse(str(tag("pre", block(value)))).elements

    assert {(name, *has.items()) for name, has in elements} <= {("pre",), ("span", ("class", "ik-hidden-char"))}


@given(value=ANY_TEXT)
def test_shortened_text_holds_the_whole(value, parse):
    """A shortened value still has the whole text for whoever hovers or focuses it."""
    assert visible(value) in parse(str(shortened(value, limit=10))).text


def test_a_first_line_end_in_a_block_is_kept(parse):
    """The parser drops one newline after <pre>; the text's own first newline survives."""
    assert parse(str(tag("pre", block("\n\nthird line")))).text == "\n\nthird line"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("\x1b[31m", "\\x1b[31m", id="escape"),
        pytest.param("a\x00b", "a\\x00b", id="nul"),
        pytest.param("\x9b2J", "\\x9b2J", id="c1"),
        pytest.param("\x7f", "\\x7f", id="delete"),
        pytest.param("\u202egnp.exe", "<U+202E>gnp.exe", id="right-to-left override"),
        pytest.param("a\r\nb", "a\\x0d\\x0ab", id="line end in one line"),
        pytest.param("\ud800", "<U+D800>", id="lone surrogate"),
        pytest.param("\u200b", "<U+200B>", id="zero width space"),
        pytest.param("naïve 日本 א", "naïve 日本 א", id="letters stay"),
    ],
)
def test_hidden_characters_are_shown(value, shown, parse):
    """What would steer the screen is written out; letters of any language stay."""
    assert parse(str(text(value))).text == shown


def test_a_hidden_character_differs_from_the_same_text_typed():
    """The mark tells an escape character from a backslash that somebody typed."""
    assert text("\x1b") != text("\\x1b")


def test_bare_carriage_return_is_shown_in_a_block(parse):
    """CR LF and LF end a line; a CR alone is an oddity and is seen."""
    assert parse(str(tag("pre", block("a\r\nb\rc\td")))).text == "a\nb\\x0dc\td"


@pytest.mark.parametrize(
    "name", ["script", "style", "iframe", "a", "img", "form", "input", "svg", "x><script", "", "SPAN"]
)
def test_a_tag_outside_the_closed_set_is_refused(name):
    """What can load, run or submit has no way in, not even by a programmer's mistake."""
    with pytest.raises(ValueError, match="not in the closed set"):
        tag(name)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"id": "x"}, id="id"),
        pytest.param({"name": "x"}, id="name"),
        pytest.param({"style": "color: red"}, id="style"),
        pytest.param({"href": "https://192.0.2.1"}, id="href"),
        pytest.param({"onclick": "alert(1)"}, id="handler"),
        pytest.param({"data_commandlinker_command": "x"}, id="command linker"),
        pytest.param({"type": "submit"}, id="value outside its set"),
        pytest.param({"tabindex": "1"}, id="tab order against reading order"),
        pytest.param({"role": "img\n"}, id="value with a line end"),
    ],
)
def test_an_attribute_outside_the_closed_set_is_refused(attributes):
    """No id, no name, no data-*, no handler, no style, no address; the others only with their values."""
    with pytest.raises(ValueError, match="closed set"):
        tag("button", "x", **attributes)


@pytest.mark.parametrize("cls", ["jp-Cell", "ik-unknown", 'ik-panel" onclick="x', "<b>"])
def test_a_class_that_the_style_sheet_does_not_know_is_refused(cls):
    """Classes come from style.css; a word from data can't become one."""
    with pytest.raises(ValueError, match=r"style\.css does not know"):
        tag("p", "x", cls=cls)


def test_markup_cannot_be_made_elsewhere():
    """The value type of the door refuses to be built by anybody else."""
    with pytest.raises(TypeError, match="is made by the functions"):
        Html("<b>", key=object())


def test_html_is_a_value():
    """Two equal markups are equal and hash alike; the repr is a few words; IPython gets the markup."""
    one, other = tag("p", "x"), tag("p", "x")

    assert (one == other, len({one, other}), repr(one), one._repr_html_()) == (
        True,
        1,
        "<Html, 8 characters>",
        "<p>x</p>",
    )


def test_every_class_of_the_style_sheet_is_ours():
    """Our sheet styles no class alone that is not ours: each rule begins inside an ik- class, a theme, or a query."""
    assert all(cls.startswith("ik-") for cls in style_classes())


def test_the_style_sheet_asks_for_nothing():
    """No import, no address, no end of the element: the sheet works offline and stays inside its element."""
    assert [word for word in ("@import", "url(", "http", "</", "expression(") if word in style_sheet()] == []


PNG = b"\x89PNG\r\n\x1a\n rest"


def test_a_picture_is_a_png_with_its_words_and_nothing_else(hostile_strings, parse):
    """What may stand in its words stays in them; its octets are in the page."""
    for value in hostile_strings[::50]:
        (name, has), *others = parse(str(html.picture(PNG, value, cls="ik-log-still"))).elements
        assert (name, others, set(has), has["alt"]) == ("img", [], {"alt", "class", "src"}, visible(value))
        assert has["src"] == "data:image/png;base64,iVBORw0KGgogcmVzdA=="


@pytest.mark.parametrize("octets", [b"", b"<svg onload=alert(1)>", b"GIF89a", b"https://192.0.2.1/x.png"])
def test_what_is_no_png_is_no_picture(octets):
    """An SVG can hold scripts; an address would be loaded."""
    with pytest.raises(ValueError, match="no PNG"):
        html.picture(octets, "words")


def test_separator_is_escaped():
    """A separator is text, too."""
    assert str(join(["a", "b"], separator="<b>")) == "a&lt;b&gt;b"


def test_the_doors_sets_hold_nothing_that_runs():
    """The closed set has no element that loads, runs, submits, or changes how the rest is parsed."""
    active = """
        a applet area audio base body embed form frame frameset head html iframe image img input link math meta noscript
        object param plaintext portal script select slot source style svg template textarea title track video xmp
    """

    assert html.TAGS & set(active.split()) == set()
