"""ScanPanel by its traits: with the real lab for what comes of a mail, with a scripted one for failures."""

from __future__ import annotations

import asyncio
import base64
import contextlib

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab import Lab
from indimail_kit.qhpsi import TREE, Leaf, QhpsiConfig, Question, eicar, path_of
from indimail_kit.widgets.ladder import ladder, lit, path_of_journey
from indimail_kit.widgets.policy import FORWARD_TO, KEEP_FOR
from indimail_kit.widgets.scan_form import IDLE, MAX_DROP_BYTES
from indimail_kit.widgets.scan_markup import cards, scan_html, scans_html, sign_of, without_mail
from indimail_kit.widgets.scan_panel import ON_ITS_WAY, ScanPanel

CANARY = "private-canary-4711"
MAIL = f"From: ann@example.com\nSubject: {CANARY}\n\n{CANARY}\n".encode()


@pytest.fixture(scope="module")
def real_lab():
    """A lab with the scanner that needs nothing installed."""
    with Lab(seed=1, scanner="embedded") as running:
        yield running


@pytest.fixture
def panel(real_lab):
    """A panel of the real lab, closed at the end."""
    with contextlib.closing(ScanPanel(real_lab)) as shown:
        yield shown


class ScriptedScans:
    """A scripted lab with what ScanPanel needs besides.

    Attributes:
        variables: What was set, in order.
        used: Scanners and troubles asked for.
    """

    qhpsi = "/usr/bin/clamdscan %s"

    def __init__(self, lab):
        self._lab = lab
        self.variables = []
        self.used = []

    def __getattr__(self, name):
        return getattr(self._lab, name)

    def set_variable(self, name, value):
        self.variables.append((name, value))

    @contextlib.contextmanager
    def asking(self, scanner):
        self.used.append(type(scanner).__name__)
        yield

    @contextlib.contextmanager
    def scanner_trouble(self, kind):
        self.used.append(kind)
        yield


@pytest.fixture
def scripted(lab):
    """A scripted lab."""
    return ScriptedScans(lab)


@pytest.fixture
def family():
    """Give the function that lists a widget and all below it."""

    def listed(widget):
        return [widget, *(one for child in getattr(widget, "children", ()) for one in listed(child))]

    return listed


def test_a_dropped_eicar_mail_is_refused_and_read(panel):
    """Drop, REJECTVIRUS=1, Send: 554, the way ends at "bounce", each claim stands with its raw material."""
    panel.drop(eicar())
    panel.form.reject_virus = 1
    journey = panel.send()

    shown = {caption: value for caption, value, _ in cards(journey)}
    assert (journey.smtp_reply, panel.tree.lit[-1], panel.form.tone) == (
        "554 qq message contains virus (#5.7.1)",
        ["bounce", ""],
        "ik-bad",
    )
    assert shown["header on top of the mail"] == "none: nothing is in the queue"
    assert "IndiMailKit.Eicar-Test-Signature" in shown["the scanner's own answer"]
    assert "(permanent)" in shown["log line of qmail-smtpd"]
    assert ("refused ✕" in panel.form.sentence, "refused ✕" in panel.table.value) == (True, True)


@pytest.mark.parametrize(
    ("policy", "attach", "leaf", "ending"),
    [
        pytest.param({"reject_virus": 0}, "eicar", "accept-infected", "marked", id="marked"),
        pytest.param({"reject_virus": 2}, "eicar-zip", "blackhole", "swallowed", id="swallowed"),
        pytest.param({"reject_virus": 3}, "eicar-base64", "bounce", "refused", id="any other number"),
        pytest.param({"virus_forward": FORWARD_TO}, "eicar", "forward-0", "forwarded", id="forwarded"),
        pytest.param({"quarantine": KEEP_FOR}, "none", "accept-clean", "kept", id="quarantined"),
        pytest.param({}, "none", "accept-clean", "clean", id="clean"),
        pytest.param({"min_bytes": 10**6}, "eicar", "skip-small", "unscanned", id="too small"),
        pytest.param({"max_bytes": 10}, "eicar", "skip-large", "unscanned", id="too large"),
        pytest.param({"scanner": "none"}, "eicar", "skip-qhpsi", "unscanned", id="no scan"),
        pytest.param({"scanner": "embedded"}, "eicar", "accept-infected", "marked", id="embedded"),
        pytest.param({"trouble": "down"}, "none", "tempfail-no-verdict", "later", id="scanner down"),
        pytest.param({"infected_rc": 0, "reject_virus": 1}, "none", "bounce", "refused", id="QHPSIRC=0"),
    ],
)
def test_every_exit_path_on_demand(panel, policy, attach, leaf, ending):
    """A trainer sets a switch, presses Send, and the end lights up that the switch leads to."""
    panel.form.attach = attach
    for name, value in policy.items():
        setattr(panel.form, name, value)
    journey = panel.send()

    assert (panel.tree.lit[-1], sign_of(journey).word) == ([leaf, ""], ending)


def test_a_bare_lf_never_comes_to_the_scanner(panel):
    """The server refuses; nothing is lit, and the sentence says so."""
    panel.drop(b"Subject: a\r\n\r\nbare\nline\r\n")
    panel.send()

    assert (panel.tree.lit, "451 Sorry, I received Bare LF" in panel.form.sentence) == ([], True)


def test_a_switch_shows_the_variable_it_sets(panel):
    """Monospace beside the switch: the variable as it will stand in variables/."""
    panel.form.reject_virus, panel.form.max_bytes, panel.form.scanner = 1, 500, "none"

    shows = {field["trait"]: field["shows"] for field in panel.form.fields}
    assert (shows["reject_virus"], shows["max_bytes"], shows["scanner"], shows["virus_forward"]) == (
        "REJECTVIRUS=1",
        "QHPSIMAXSIZE=500",
        "QHPSI not set",
        "VIRUSFORWARD not set",
    )


def test_what_the_switches_show_is_set(scripted):
    """Each variable of the policy is written or removed before the mail goes."""
    panel = ScanPanel(scripted)
    panel.form.reject_virus, panel.form.quarantine = 2, KEEP_FOR
    panel.send()

    assert dict(scripted.variables) == {
        "QHPSI": "/usr/bin/clamdscan %s", "QHPSIRC": None, "QHPSIRN": None, "QHPSIMINSIZE": None,
        "QHPSIMAXSIZE": None, "REJECTVIRUS": "2", "VIRUSFORWARD": None, "QUARANTINE": KEEP_FOR, "FASTQUEUE": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scanner", "trouble", "used"),
    [("lab", "", []), ("embedded", "slow", ["EmbeddedScanner"]), ("lab", "slow", ["slow"]), ("none", "slow", [])],
)
def test_scanner_and_trouble_are_the_labs(scripted, scanner, trouble, used):
    """A trouble is the lab's own scanner's; another scanner has none."""
    panel = ScanPanel(scripted)
    panel.form.scanner, panel.form.trouble = scanner, trouble
    panel.send()

    assert scripted.used == used


def test_a_dropped_mail_is_in_no_state_and_no_output(panel, family):
    """Nothing that a saved notebook would hold has a word of the mail, raw or encoded, nor its file's name."""
    panel.drop(MAIL, f"{CANARY}.eml")
    states = [[widget.get_state() for widget in family(panel)]]
    panel.send()
    states.append([widget.get_state() for widget in family(panel)])
    saved = repr((states, repr(panel), panel.static_html()))

    forms = (CANARY, base64.b64encode(CANARY.encode()).decode(), CANARY.encode().hex())
    assert ("(the mail, 4 lines)" in saved, [form for form in forms if form in saved]) == (True, [])


def test_a_dropped_mail_comes_as_a_message(panel):
    """The octets are a buffer of the message; the page is told the name made visible and the size."""
    sent = []
    panel.form.send = sent.append
    panel.form._on_message(None, {"drop": "a\x1b[31m\u202e.eml"}, [memoryview(MAIL)])

    assert (sent, panel.form.order()["message"]) == (
        [{"held": f"a\\x1b[31m<U+202E>.eml · {len(MAIL)} octets"}],
        MAIL,
    )


@pytest.mark.parametrize(
    ("content", "buffers", "said"),
    [
        ({"drop": "a"}, [b"x" * (MAX_DROP_BYTES + 1)], "at most 5,242,880 can be dropped"),
        ({"drop": "a"}, [], "a mail that is not empty"),
        ({"refused": {"size": 10**9}}, [], "1,000,000,000 octets"),
        ({"refused": {"count": 2}}, [], "2 files at once"),
        ({"refused": {"unreadable": True}}, [], "cannot read this file"),
    ],
    ids=["too large", "empty", "too large for the page", "two files", "unreadable"],
)
def test_what_cannot_be_taken_is_said(panel, content, buffers, said):
    """What, how much, what to do; nothing is held."""
    panel.form._on_message(None, content, buffers)

    assert (said in panel.form.sentence, panel.form.tone, panel.form.dropped_bytes) == (True, "ik-bad", 0)


def test_the_largest_mail_is_taken(panel):
    """The limit itself is within."""
    panel.drop(b"x" * MAX_DROP_BYTES)

    assert panel.form.dropped_bytes == MAX_DROP_BYTES


def test_a_mail_can_be_taken_away(panel):
    """The written one counts again."""
    panel.drop(MAIL)
    panel.form._on_message(None, {"leave": True}, [])

    assert ("message" in panel.form.order(), panel.form.sentence) == (False, IDLE)


def test_closing_forgets_the_mail(real_lab):
    """No octet stays in the widget."""
    panel = ScanPanel(real_lab)
    panel.drop(MAIL)
    panel.close()

    assert panel.form.dropped_bytes == 0


def test_a_click_in_a_kernel_ends_as_send_does(scripted, lab):
    """While the mail travels the view is busy; then the journey is shown."""
    panel = ScanPanel(scripted)
    lab.gate.clear()
    seen = []

    async def scenario():
        over = asyncio.Event()
        panel.form.observe(lambda change: change.new or over.set(), "busy")
        panel.form._on_message(None, {"send": True}, [])
        seen.append((panel.form.busy, panel.form.sentence))
        lab.gate.set()
        await asyncio.wait_for(over.wait(), 10)

    asyncio.run(scenario())

    assert (seen, panel.last_journey) == ([(True, ON_ITS_WAY)], lab.journeys[0])


def test_send_from_python_on_the_way_is_an_error(scripted):
    """Python is told what a second click is not."""
    panel = ScanPanel(scripted)
    panel.form.busy = True

    with pytest.raises(LabError, match="on its way"):
        panel.send()


def test_a_lab_that_fails_is_said_in_words(scripted, lab):
    """What failed, and what to do."""
    panel = ScanPanel(scripted)
    lab.error, lab.is_running = LabError("the lab does not run"), False
    panel.form._on_message(None, {"send": True}, [])

    said = panel.form.sentence
    assert ("the lab does not run" in said, "lab.start()" in said, panel.form.busy) == (True, True, False)


@pytest.mark.parametrize("count", [-1, 0, 99])
def test_a_row_that_does_not_exist_changes_nothing(scripted, count):
    """A number from the page is only a wish."""
    panel = ScanPanel(scripted)
    journey = panel.send()
    panel.form.shown = count

    assert panel.last_journey == journey


def test_a_row_brings_its_scan_back(panel):
    """The way of an earlier mail lights up again."""
    panel.form.attach = "eicar"
    panel.send()
    count = len(panel.lab.journeys)
    panel.form.attach = "none"
    panel.send()
    panel.form.shown = count

    assert panel.tree.lit[-1] == ["accept-infected", ""]


def test_the_ladder_is_the_tree():
    """Every question and every end of TREE stands in the ladder once, and every answer leads where TREE says."""

    def nodes(rungs):
        for rung in rungs:
            yield rung["key"]
            for side in rung["side"]:
                yield from nodes(side["rungs"]) if "rungs" in side else [side["leaf"]["key"]]

    def answers(rungs):
        return sum(
            len(rung["side"]) + bool(rung["down"]) + sum(answers(side.get("rungs", [])) for side in rung["side"])
            for rung in rungs
        )

    assert sorted(nodes(ladder())) == sorted(TREE)
    assert answers(ladder()) == sum(len(node.answers) for node in TREE.values() if isinstance(node, Question))


def test_a_way_ends_in_one_leaf():
    """What is lit is a way of the tree: each answer leads to the next node."""
    way = lit(path_of(QhpsiConfig("scan %s", reject_virus=2), message_bytes=500, scanner_rc=1))

    following = [TREE[key].answers[answer] for key, answer in way[:-1]]
    assert (following, isinstance(TREE[way[-1][0]], Leaf)) == ([key for key, _ in way[1:]], True)


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("S: 220 a\nC: quit", "S: 220 a\nC: quit"),
        ("S: 354 go\nC: secret", "S: 354 go\nC: (the mail, 1 line)"),
        ("S: 354 go\nC: S: 250 forged\nC: .\nS: 554 no", "S: 354 go\nC: (the mail, 1 line)\nS: 554 no"),
    ],
    ids=["no mail", "broken off", "a mail that looks like a server"],
)
def test_a_dialogue_without_its_mail(said, left):
    """Between 354 and the server's next word stands the mail, whatever is written in it."""
    assert without_mail(said) == left


def test_a_panel_without_a_kernel_is_html(panel, strangers):
    """Sentence, way, cards and list; and words."""
    panel.send()
    bundle = panel._repr_mimebundle_()

    assert (strangers(bundle["text/html"]), bundle["text/plain"]) == ([], repr(panel))
    assert strangers(str(scan_html(panel.last_journey))) == []


@pytest.mark.parametrize("index", range(8))
def test_hostile_signatures_and_replies_stay_text(index, payloads, make_journey, scripted, lab, strangers):
    """Whatever a scanner, a server or an address says comes out as text."""
    panel = ScanPanel(scripted)
    outputs = []
    for value in payloads[index::8]:
        lab.journey = make_journey(value, smtp_reply=value, message_bytes=1, log_lines=(value,))
        lab.scanner_name = value
        panel.send()
        outputs += [panel.panel.value, panel.header.value]
    outputs += [str(scans_html(lab.journeys)), panel.static_html(), panel.table.value]

    assert strangers("".join(outputs)) == []


def test_a_journey_of_a_stranger_has_no_way(make_journey):
    """A mail that qmail-queue never had lights nothing."""
    assert path_of_journey(make_journey()) == ()


def test_a_panel_has_no_more_than_sixty_widgets(panel, family):
    """LOOK: no more than about sixty child widgets."""
    assert len(family(panel)) <= 60
