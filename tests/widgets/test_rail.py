"""The two widgets that a browser draws itself."""

from __future__ import annotations

import pytest
import traitlets as t

from indimail_kit.lab.journey import STATION_KEYS
from indimail_kit.widgets.rail import SecretField, StationRail

CANARY = "canary-4711"


def test_a_new_rail_waits():
    """Seven waiting stations, none opened, not busy."""
    rail = StationRail()

    assert ([row["key"] for row in rail.stations], rail.opened, rail.busy) == (list(STATION_KEYS), "", False)


@pytest.mark.parametrize(("name", "value"), [("opened", "nowhere"), ("tone", "<b>"), ("shown", "1")])
def test_a_browser_cannot_set_nonsense(name, value):
    """What comes from the page is checked: a state outside its closed set is refused."""
    with pytest.raises(t.TraitError):
        setattr(StationRail(), name, value)


@pytest.fixture
def field() -> SecretField:
    """A field into which somebody typed."""
    field = SecretField(description="password")
    field._handle_custom_msg({"secret": CANARY}, [])
    return field


def test_a_typed_secret_arrives(field):
    """What the browser sends is the value."""
    assert field.value == CANARY


def test_a_secret_is_never_widget_state(field):
    """What a notebook saves of the widget does not hold the secret, nor its length."""
    state = field.get_state()

    assert (CANARY in repr(state), "value" in state, str(len(CANARY)) in repr(state.get("description"))) == (False,) * 3


def test_a_secret_is_not_in_the_repr(field):
    """A repr names the field only."""
    assert repr(field) == "SecretField('password')"


def test_forget_empties_both_sides(field, monkeypatch):
    """The value is gone here, and every browser is told to empty its field."""
    sent = []
    monkeypatch.setattr(field, "send", sent.append)

    field.forget()

    assert (field.value, sent) == ("", [{"forget": True}])


@pytest.mark.parametrize("content", [{}, {"other": "x"}], ids=["empty", "other"])
def test_another_message_changes_nothing(field, content):
    """A message without a secret is not for the value."""
    field._handle_custom_msg(content, [])

    assert field.value == CANARY
