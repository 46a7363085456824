"""Attack: markup and terminal sequences in any text that a value of ours may hold, seen through its repr and its HTML.

Every class that has an HTML form is found by looking, filled with hostile text in each field of its own type, and read
as a browser reads it. A class that cannot be filled, and a widget, has its own test, which is named here; a new one
without fails `test_every_class_with_html_is_attacked` or `test_every_widget_is_attacked`.

Source: table of threats, "Markup from mail/log in HTML output": at least 10,000 strings, every repr and every widget.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import ClassVar

import pytest

import indimail_kit
from indimail_kit import widgets
from indimail_kit.lab.case import Grade
from indimail_kit.lab.case_file import OpenCase

from ..widgets.conftest import _ALLOWED_ATTRIBUTES, _ALLOWED_TAGS, Parsed, hostile
from .conftest import CONTROLS, DIRECTIONS, SEQUENCES, steering
from .fill import filled

ROOT = Path(__file__).resolve().parents[2]
STRINGS = tuple(hostile())
STEERING = "".join((*CONTROLS, *DIRECTIONS, *SEQUENCES))
EVERY = 37
"""Of how many strings `make test` takes one: each payload with each end occurs once, and every breaker."""
TOGETHER = 250
"""Hostile strings in one text, each on a line of its own."""


def classes_with_html() -> dict[str, type]:
    """Return every class of the package that has an HTML form of its own."""
    found = {}
    for module in pkgutil.walk_packages(indimail_kit.__path__, "indimail_kit."):
        if not module.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(module.name)).items():
                if inspect.isclass(value) and value.__module__ == module.name and "_repr_html_" in vars(value):
                    found[f"{module.name.removeprefix('indimail_kit.')}.{name}"] = value
    return found


ELSEWHERE = {
    "lab.case_file.OpenCase": "tests/security/test_hostile_reprs.py::test_hostile_text_in_a_case_stays_text",
    "lab.filters.FilterList": "tests/widgets/test_grid.py::test_hostile_cell_stays_text",
    "lab.journey.Journey": "tests/widgets/test_markup.py::test_hostile_text_brings_nothing_into_any_output",
    "logs.log.Log": "tests/widgets/test_log_hostile.py",
    "mailqueue.picture.Snapshot": "tests/mailqueue/test_picture.py::test_hostile_name_of_a_queue_is_escaped_in_html",
    "widgets.html.Html": "tests/widgets/test_html.py::test_hostile_text_brings_no_element_and_no_attribute",
}
"""Class -> the test that attacks it, because it cannot be filled from its types."""

WIDGETS = {
    "AdminDesk": "tests/widgets/test_admin_desk.py::test_hostile_place_stays_text",
    "AuthExplorer": "tests/widgets/test_auth_explorer.py::test_static_html_stays_behind_the_door",
    "CasePanel": "tests/security/test_hostile_reprs.py::test_hostile_text_in_a_case_panel_stays_text",
    "ConcurrencyChart": "tests/widgets/test_log_hostile.py",
    "DelayChart": "tests/widgets/test_log_hostile.py",
    "DeliveredView": "tests/widgets/test_delivered.py::test_hostile_lines_stay_text",
    "Eavesdropper": "tests/widgets/test_eavesdropper.py::test_static_html_stays_behind_the_door",
    "JourneyView": "tests/widgets/test_journey_view.py::test_hostile_mail_brings_nothing_into_any_output",
    "LiveLogExplorer": "tests/widgets/test_log_hostile.py",
    "LogExplorer": "tests/widgets/test_log_hostile.py",
    "PlanPanel": "tests/widgets/test_plan_panel.py::test_hostile_names_stay_text",
    "PolicyExplorer": "tests/widgets/test_policy.py::test_hostile_addresses_stay_text",
    "QueueBrowser": "tests/widgets/test_queue_browser.py::test_hostile_text_in_a_filter_brings_nothing_back",
    "QueueScanPanel": "tests/widgets/test_queue_scan_panel.py::test_hostile_signatures_and_reasons_stay_text",
    "QueueShape": "tests/widgets/test_queue_shape.py::test_hostile_domains_stay_text",
    "QueueTimeMachine": "tests/widgets/test_time_machine.py::test_hostile_titles_stay_text",
    "ReasonChart": "tests/widgets/test_log_charts.py::test_hostile_reasons_are_drawn_as_text",
    "ScanPanel": "tests/widgets/test_scan_panel.py::test_hostile_signatures_and_replies_stay_text",
    "SmtpConsole": "tests/widgets/test_smtp_console.py::test_hostile_replies_stay_text",
    "StuckMail": "tests/widgets/test_stuck_mail.py::test_hostile_addresses_and_reports_stay_text",
    "TraceView": "tests/widgets/test_trace_view.py::test_hostile_text_in_every_place_of_a_trace_stays_text",
}
"""Widget -> the test that attacks it."""

CLASSES = classes_with_html()
FILLED = sorted(set(CLASSES) - set(ELSEWHERE))


def strangers(markup: str) -> list[str]:
    """Return the elements, attributes and classes of a markup that are not on the list."""
    tags, attributes = set(_ALLOWED_TAGS.split()), set(_ALLOWED_ATTRIBUTES.split())
    elements = Parsed(markup).elements
    found = [tag for tag, _ in elements if tag not in tags]
    found += [name for _, has in elements for name in has if name not in attributes]
    return found + [cls for _, has in elements for cls in has.get("class", "").split() if not cls.startswith("ik-")]


def texts(size: str) -> list[str]:
    """Return hostile texts: all strings, or a part of them in which each payload and each breaker occurs."""
    chosen = STRINGS if size == "full" else STRINGS[::EVERY]
    return ["\n".join(chosen[at : at + TOGETHER]) for at in range(0, len(chosen), TOGETHER)]


def test_more_than_ten_thousand_strings_are_at_hand() -> None:
    """The table of threats asks for ten thousand."""
    assert len(set(STRINGS)) > 10_000


def test_every_class_with_html_is_attacked() -> None:
    """A class is filled from its types, or has a test of its own that is there."""
    assert [name for name in FILLED if not dataclasses.is_dataclass(CLASSES[name])] == []
    assert sorted(set(ELSEWHERE) - set(CLASSES)) == []


def test_every_widget_is_attacked() -> None:
    """A new widget belongs into WIDGETS, with the test that gives it hostile text."""
    public = [name for name in widgets.__all__ if inspect.isclass(getattr(widgets, name))]

    assert sorted(WIDGETS) == sorted(public)


@pytest.mark.parametrize("test", sorted({*ELSEWHERE.values(), *WIDGETS.values()}))
def test_test_that_is_named_is_there_and_uses_hostile_text(test: str) -> None:
    """A name in the tables above is a test, and the test, or its file, has to do with hostile text."""
    path, _, name = test.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    functions = {one.name: ast.get_source_segment(source, one) or "" for one in ast.walk(ast.parse(source))
                 if isinstance(one, ast.FunctionDef)}  # fmt: skip

    assert not name or name in functions
    assert any(word in (functions[name] if name else source) for word in ("payload", "hostile", "HOSTILE", "<script"))


@pytest.mark.parametrize("name", FILLED)
def test_hostile_text_in_any_field_stays_text_in_html(name: str, sweep_size: str) -> None:
    """No element, no attribute and no class comes out of a text, in whichever field it is."""
    found = [strangers(filled(CLASSES[name], text)._repr_html_()) for text in texts(sweep_size)]

    assert found
    assert [one[:5] for one in found if one] == []


@pytest.mark.parametrize("name", FILLED)
def test_hostile_text_in_any_field_steers_nothing_in_repr_and_html(name: str) -> None:
    """Neither the one line of the repr nor the page has a character that steers a terminal or turns the writing."""
    value = filled(CLASSES[name], STEERING)

    assert steering(repr(value)) == []
    assert steering(value._repr_html_(), kept=("\n", "\t")) == []


class HostileCase(OpenCase):
    """A case in which everything that people say, and where it is, is hostile."""

    complaint = conditions = STEERING + "".join(STRINGS[:TOGETHER])
    smtp = (STEERING, 25)
    directory = queue_base = Path(STEERING.replace("\0", ""))
    logs: ClassVar = {STEERING: directory}

    def __init__(self) -> None:
        """Start nothing."""


def test_hostile_text_in_a_case_stays_text() -> None:
    """What people say in a case, and the place where it is, is text; it steers nothing."""
    case = HostileCase()

    assert steering(repr(case)) == []
    assert strangers(case._repr_html_()) == []


def test_hostile_text_in_a_case_panel_stays_text() -> None:
    """Complaint, places, hints and findings are text in what the browser gets and in the view without a kernel."""
    panel = widgets.CasePanel(HostileCase())
    panel.hints, panel.grade = (HostileCase.complaint,), filled(Grade, HostileCase.complaint)
    panel._draw()

    assert [strangers(markup)[:5] for markup in (panel.panel.value, panel.static_html())] == [[], []]
    assert steering(repr(panel)) == []
