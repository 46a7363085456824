"""The form that a view leaves in a notebook without a kernel."""

from __future__ import annotations

import pytest

from indimail_kit.widgets.static_view import StaticView


def make_view(shown):
    """Return a view whose widget library answers with this."""

    class Widget:
        def _repr_mimebundle_(self, **_):
            return shown

    class View(StaticView, Widget):
        def __repr__(self):
            return "in words"

        def static_html(self):
            return "as HTML"

    return View()


WRITTEN = {"text/plain": "in words", "text/html": "as HTML"}


@pytest.mark.parametrize(
    ("shown", "bundle"),
    [
        pytest.param({"text/plain": "Box", "a": "b"}, {"a": "b", **WRITTEN}, id="ipywidgets"),
        pytest.param(({"text/plain": "Box", "a": "b"}, {"m": 1}), ({"a": "b", **WRITTEN}, {"m": 1}), id="anywidget"),
        pytest.param(None, None, id="nothing to show"),
    ],
)
def test_words_and_html_stand_beside_the_widget(shown, bundle):
    """Whatever form the library answers in, its own entries stay, and a view that is not shown adds nothing."""
    assert make_view(shown)._repr_mimebundle_() == bundle
