"""JourneyView by its traits and its button, without a browser."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading

import IPython.display
import pytest
import traitlets as t

from indimail_kit.errors import LabError
from indimail_kit.widgets.journey_view import IDLE, ON_ITS_WAY, JourneyView

CANARY = "canary-4711"


@pytest.fixture
def view(lab) -> JourneyView:
    """A view of the scripted lab."""
    return JourneyView(lab)


def family(widget) -> list:
    """Return a widget and all below it."""
    return [widget, *(one for child in getattr(widget, "children", ()) for one in family(child))]


def click_in_a_loop(view, *, while_busy=lambda: None) -> None:
    """Click Send where a loop runs, as in a kernel; call `while_busy` once the click has returned; wait for the end."""

    async def scenario():
        over = asyncio.Event()
        view.observe(lambda change: change.new or over.set(), "busy")
        view.form.send_button.click()
        while_busy()
        await asyncio.wait_for(over.wait(), 10)

    asyncio.run(scenario())


def test_nothing_is_displayed_before_it_is_asked_for(lab, monkeypatch):
    """The constructor builds; showing is the notebook's business."""
    monkeypatch.setattr(IPython.display, "display", pytest.fail)

    assert JourneyView(lab).sentence == IDLE


def test_a_view_has_no_more_than_sixty_widgets(view):
    """LOOK: no more than about sixty child widgets."""
    assert len(family(view)) <= 60


def test_send_from_python_gives_the_journey(view, lab):
    """A widget is usable from Python alone: send, read the traits."""
    journey = view.send()

    assert (journey, view.last_journey, view.busy) == (lab.journeys[0], lab.journeys[0], False)


def test_the_form_is_what_is_sent(view, lab):
    """The lab gets the fields as they stand."""
    view.form.recipient, view.form.is_infected, view.form.reject_virus = "nobody@example.com", True, 1

    view.send()

    assert (lab.orders[0]["recipient"], lab.orders[0]["attach"], lab.orders[0]["reject_virus"]) == (
        "nobody@example.com",
        "eicar",
        1,
    )


def test_click_does_the_same_outside_a_kernel(view, lab):
    """Without a loop the click waits, so a test or a script needs no tricks."""
    view.form.send_button.click()

    assert (view.last_journey, len(lab.orders)) == (lab.journeys[0], 1)


def test_the_verdict_is_said_with_word_and_sign(view):
    """The live region speaks it."""
    view.send()

    assert (view.sentence[:10], view.rail.sentence == view.sentence, view.rail.tone) == ("INFECTED ✕", True, "ik-bad")


def test_stations_light_up_while_the_mail_is_on_its_way(lab, view):
    """After the click the first station is lit and the rest waits, though the lab is not done."""
    lab.gate.clear()
    seen = []

    def look():
        seen.extend(
            [
                view.busy,
                view.sentence,
                [row["state"] for row in view.rail.stations[:2]],
                view.form.send_button.description,
            ]
        )
        lab.gate.set()

    click_in_a_loop(view, while_busy=look)

    assert seen == [True, ON_ITS_WAY, ["ik-working", "ik-waiting"], "Sending …"]


def test_a_click_in_a_kernel_ends_as_send_does(lab, view):
    """The journey arrives through the loop, complete."""
    click_in_a_loop(view)

    assert (view.last_journey, view.busy, view.form.send_button.description) == (lab.journeys[0], False, "Send")


def test_widgets_are_changed_in_the_loops_thread_only(view):
    """The lab tells stations from its own threads; no widget is touched there."""
    threads = set()
    view.rail.observe(lambda _change: threads.add(threading.get_ident()), "stations")

    click_in_a_loop(view)

    assert threads == {threading.get_ident()}


def test_a_second_click_on_the_way_is_ignored(lab, view):
    """Impatience sends no second mail."""
    lab.gate.clear()

    def click_again():
        view.form.send_button.click()
        lab.gate.set()

    click_in_a_loop(view, while_busy=click_again)

    assert len(lab.orders) == 1


def test_send_from_python_on_the_way_is_an_error(lab, view):
    """Python is told what a second click is not."""
    view.busy = True

    with pytest.raises(LabError, match="on its way"):
        view.send()


@pytest.mark.parametrize(
    "error", [LabError("the lab does not run"), ValueError("a header value holds a line end")], ids=repr
)
def test_a_lab_that_fails_is_said_in_words(error, make_lab):
    """What failed, and what to do; the button is ready again."""
    view = JourneyView(make_lab(error=error))

    view.form.send_button.click()

    assert (str(error) in view.sentence, "What to do" in view.sentence, view.busy, view.rail.tone) == (
        True,
        True,
        False,
        "ik-bad",
    )


def test_a_lab_that_fails_raises_for_python(make_lab):
    """`send` from Python gives the error, not a half journey."""
    view = JourneyView(make_lab(error=LabError("gone")))

    with pytest.raises(LabError, match="gone"):
        view.send()


def test_a_failure_leaves_the_last_journey(lab, make_lab, view, make_journey):
    """The mail before is still there to look at."""
    view.send()
    view.lab = make_lab(error=LabError("gone"))

    view.form.send_button.click()

    assert view.last_journey == lab.journeys[0]


def test_a_stopped_lab_says_how_to_start_it(make_lab):
    """What failed, where, what to do."""
    stopped = make_lab(error=LabError("the lab does not run"))
    stopped.is_running = False
    view = JourneyView(stopped)

    view.form.send_button.click()

    assert ("lab.start()" in view.sentence, "lab.start()" in view.header.value) == (True, True)


def test_an_opened_station_shows_its_raw_material(view):
    """Opening is a trait: facts and raw blocks of that station are in the panel."""
    view.send()
    view.opened = "scan"

    assert ("④ SCAN" in view.panel.value, "ik-raw" in view.panel.value, view.rail.opened) == (True, True, "scan")


def test_a_closed_panel_says_how_to_open(view):
    """An empty view says what would fill it."""
    view.opened = "scan"
    view.opened = ""

    assert "Enter opens" in view.panel.value


def test_a_station_that_does_not_exist_cannot_be_opened(view):
    """Seven keys and "" for none."""
    with pytest.raises(t.TraitError):
        view.opened = "moon"


def test_an_opened_station_stays_open_for_the_next_mail(view):
    """Who looks at the scan sees the next scan without another click."""
    view.opened = "scan"
    view.send()

    assert "Station 4 of 7, SCAN, is it safe? done" in view.panel.value


def test_a_row_of_the_table_brings_its_mail_back(lab, view, make_journey):
    """The number in the table puts that mail on the rail again."""
    view.send()
    lab.journeys.append(make_journey("second", signature="Another"))

    view.rail.shown = 2

    assert (view.last_journey, "Another" in view.sentence) == (lab.journeys[1], True)


@pytest.mark.parametrize("count", [-1, 0, 2, 10**9])
def test_a_row_that_does_not_exist_changes_nothing(count, lab, view):
    """A number from the page is only a wish."""
    view.send()

    view.rail.shown = count

    assert view.last_journey == lab.journeys[0]


def test_the_table_collects_the_messages(view):
    """Two mails, two rows."""
    view.send()
    view.send()

    assert view.table.value.count("INFECTED ✕") == 2


def test_mails_sent_beside_the_view_are_in_the_table(lab, make_journey):
    """A mail sent by `lab.send` in a cell counts like one sent by the button."""
    lab.journeys.append(make_journey())

    assert "INFECTED ✕" in JourneyView(lab).table.value


@pytest.mark.parametrize(
    "form_of",
    [
        pytest.param(lambda text: text, id="raw"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="base64"),
        pytest.param(lambda text: text.encode().hex(), id="hex"),
        pytest.param(lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), id="md5"),
    ],
)
def test_password_is_never_in_widget_state(form_of, lab, view):
    """Nothing that a saved notebook would hold has the password, before or after it was used."""
    view.form.is_demo_password = False
    view.form.password.value = CANARY
    before = [widget.get_state() for widget in family(view)]
    view.send()
    after = [widget.get_state() for widget in family(view)]

    assert (form_of(CANARY) in repr((before, after, repr(view), view.static_html())), lab.orders[0]["passwd"]) == (
        False,
        CANARY,
    )


def test_a_view_is_told_in_words(view):
    """The repr says how many mails, which scanner, and what happened last."""
    view.send()

    assert repr(view).startswith("JourneyView: 1 messages so far, scanner a scripted scanner. INFECTED ✕")


def test_a_view_without_a_kernel_is_html(view, strangers):
    """Beside the widget there is HTML and a sentence, for a notebook read without a kernel."""
    view.send()
    bundle = view._repr_mimebundle_()

    assert (strangers(bundle["text/html"]), bundle["text/plain"]) == ([], repr(view))


@pytest.mark.parametrize("index", range(8))
def test_hostile_mail_brings_nothing_into_any_output(index, payloads, make_journey, make_lab, strangers):
    """Panel, table, header and static form of a view whose lab says hostile things, every station opened once."""
    lab = make_lab()
    view = JourneyView(lab)
    view.opened = "auth"
    outputs = []
    for value in payloads[index::8]:
        lab.journey = make_journey(value, smtp_reply=value, queue=value, folder=value)
        lab.scanner_name = value
        view.send()
        outputs += [view.panel.value, view.header.value]
    outputs += [view.table.value, view.static_html()]

    assert strangers("".join(outputs)) == []


def test_hostile_errors_stay_text(payloads, make_lab):
    """An error's text is said visibly."""
    lab = make_lab()
    view = JourneyView(lab)
    said = []
    for value in payloads:
        lab.error = LabError(value)
        view.form.send_button.click()
        said.append(view.sentence)

    assert [sentence for sentence in said if not sentence.isprintable()] == []
