"""TraceView by its traits and messages: asked, chosen, opened; what is sent, what stays here; without a kernel."""

from __future__ import annotations

import asyncio
import json
import shlex

import pytest
import traitlets as t
from click.testing import CliRunner

from indimail_kit import lab, logs, trace
from indimail_kit.cli import main
from indimail_kit.errors import TraceError
from indimail_kit.visible import is_hidden
from indimail_kit.widgets import TraceView, trace_html
from indimail_kit.widgets.pages import PAGE_ROWS
from indimail_kit.widgets.trace_rows import STORY_ROWS

SEED = b"""\
@400000004b9da2a7061e372c /var/indimail/queue/queue2/mess/16/660188: OK
@400000004b9da2f03b424bb4 new msg 660188
@400000004b9da2f03b426324 info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555
@400000004b9da2f03b42c0e4 starting delivery 6: msg 660188 to local mailstore@indimail.org
@400000004b9da2f106a1e234 delivery 6: success: did_1+0+0/
@400000004b9da2f1091fa3d4 end msg 660188
"""
"""The lines of 2010 about message 660188."""

SCAN_WHY = (
    'same number, 74 s before "new msg"; the number may have been another message\'s then;'
    " the log of qmail-send does not name the queue; the log begins later"
)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Give the logs of a seeded day on disk."""
    return lab.make_logs(120, seed=1).write(tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def day(places):
    """Give a tracer of that day."""
    return trace.Tracer(logs=[logs.read(place) for place in places.values()])


@pytest.fixture
def seed():
    """Give a view of the lines of 2010, asked for their message."""
    return TraceView(logs=[SEED], asked="660188")


def press(view, **content):
    """Do what the page asks for."""
    view.grid._handle_custom_msg(content, [])


def state_of(view):
    """Return everything that a saved notebook would hold of the view."""
    views = [view, view.grid]
    return json.dumps(
        [{k: v for k, v in one.get_state().items() if k not in ("_esm", "_css")} for one in views], default=str
    )


def body_of(markup):
    """Return markup without the style sheet, which is the same each time and slow to parse."""
    return str(markup).rpartition("</style>")[2]


def rows_of(view):
    """Return the rows that are shown, each as its texts."""
    return [tuple(cell.text for cell in row.cells) for row in view.rows.rows]


def number_used_again(tracer):
    """Return a number that several messages had."""
    return int(tracer.logs[0].messages["message_number"].value_counts().index[0])


def test_the_story_is_a_time_line_with_its_gaps_in_their_places(seed):
    """The seed's trap: the scan is possible, with its reason; the session that nothing tells of stands before it."""
    assert rows_of(seed) == [
        ("———", "session", "no evidence: no log of qmail-smtpd and no recorded session was given", "– gap"),
        ("02:59:41.102", "scan", "/var/indimail/queue/queue2/mess/16/660188: OK", "○ P possible"),
        ("03:00:54.994", "queue", "new msg 660188", "● C certain"),
        (
            "03:00:54.994", "queue",
            "info msg 660188: bytes 2794 from fogcreek_xxx@response.whatcounts.com qp 3223 uid 555", "● C certain",
        ),
        ("03:00:54.994", "delivery", "starting delivery 6: msg 660188 to local mailstore@indimail.org", "● C certain"),
        ("03:00:55.111", "delivery", "delivery 6: success: did_1+0+0/", "● C certain"),
        ("03:00:55.153", "queue", "end msg 660188", "● C certain"),
    ]  # fmt: skip
    assert [(row.why, row.day) for row in seed.rows.rows[:3]] == [("", ""), (SCAN_WHY, "2010-03-15"), ("", "")]
    assert seed.grid.document["verdict"][:3] == ["○ P possible", "ik-trace-possible", SCAN_WHY]
    assert seed.grid.sentence == "6 pieces of evidence (5 certain, 1 possible), 1 gap."


@pytest.mark.parametrize("asked", ["660188", "qp 3223", "mailstore@indimail.org, 2010-03-15 03:00"])
def test_number_qp_and_address_are_asked_in_one_field(asked):
    """The answer is the plain function's."""
    view = TraceView(logs=[SEED])
    assert (view.trace, view.rows, view.grid.document["table"]) == (None, None, None)
    view.asked = asked

    plain = trace.message(660188, logs=[logs.read(SEED)])
    assert (view.trace.message, view.trace.evidence, view.chosen) == (plain.message, plain.evidence, 0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("bob", 'No answer: "bob" is no question: a message number'),
        ("1", "No answer: no evidence of message 1 in octets."),
        ("x\x1b[2J@\u202e", "No answer: no evidence of x\\x1b[2J@<U+202E>"),
        ("660188, 2026-99-99", "No answer: 2026-99-99 is no time"),
    ],
)
def test_what_cannot_be_answered_is_said(seed, asked, said):
    """In the live region; the old story is gone, the field keeps what was typed."""
    seed.opened = "e1"
    seed.asked = asked

    assert (seed.grid.sentence.startswith(said), seed.grid.tone) == (True, "ik-bad")
    assert (seed.trace, seed.story, seed.shown, seed.opened, seed.chosen) == (None, None, None, "", -1)
    assert not any(is_hidden(character) for character in seed.grid.sentence + seed.grid.document["asked"])


def test_several_messages_that_fit_are_a_list_to_choose_from(day):
    """Each with its own confidence; the chosen one is told as sure as it is alone, and the list comes back."""
    number = number_used_again(day)
    view = TraceView(day, asked=str(number))
    fit = len(view.trace.candidates)
    assert (view.chosen, view.story, len(view.rows.rows), view.rows.total) == (-1, None, min(fit, PAGE_ROWS), fit)
    assert view.grid.sentence == f"{fit} messages fit. Choose one; a time would tell."
    sure = view.rows.rows[2].cells[4].text

    press(view, choose=2)
    assert (view.chosen, view.story.message) == (2, view.trace.candidates[2].message)
    assert (view.grid.document["verdict"][0], view.grid.document["others"]) == (sure, fit - 1)
    press(view, choose=-1)
    assert (view.story, view.rows.total) == (None, fit)


def test_the_command_tells_the_same(day):
    """Of one of several, too: the command names its queue and life. A log in memory has none."""
    view = TraceView(day, asked=str(number_used_again(day)), chosen=1)
    told = CliRunner().invoke(main, [*shlex.split(view.grid.document["command"])[1:], "--json"])

    assert json.loads(told.stdout)["message"] == view.story.message.document()
    assert TraceView(logs=[SEED], asked="660188").grid.document["command"] == ""


def test_an_address_that_looks_like_an_option_is_none(places):
    """The command asks for it all the same."""
    view = TraceView(logs=[places["send"]])
    view.trace = None
    with pytest.raises(TraceError):
        trace.address("--help@x", logs=view.tracer.logs)
    from indimail_kit.trace import parse_question
    from indimail_kit.widgets.trace_sources import command_text

    assert command_text(view.tracer, parse_question("--help@x")).endswith(" -- --help@x")


@pytest.mark.parametrize("is_packed", [False, True], ids=["in memory", "packed"])
def test_a_row_opens_to_its_raw_octets(day, places, is_packed):
    """With file, line and octet: the line that the file has there, however the log was read."""
    tracer = trace.Tracer(logs=map(trace.read_log, places.values())) if is_packed else day
    view = TraceView(tracer, asked=str(number_used_again(day)), chosen=0)
    place = next(at for at, one in enumerate(view.story.evidence) if one.source == "queue")
    view.opened = f"e{place}"

    one = view.story.evidence[place]
    octets = (places["send"] / "current").read_bytes()
    line = octets.split(b"\n")[one.line_number - 1].decode()
    offset = octets.index(line.encode())
    assert view.shown.raw.lines == (line,)
    assert view.shown.raw.place.startswith(f"{one.file} · line {one.line_number:,} · octet {offset:,} · ")
    assert view.shown.raw.command == f"tail -c +{offset + 1} {one.file} | head -n 1"
    assert view.grid.document["opened"]["title"] == f"● C certain: {one.reason}"
    view.opened = ""
    assert (view.shown, view.grid.document["opened"]) == (None, None)


def test_a_line_in_memory_is_found_in_the_log_that_has_it():
    """Two logs without a name: the text tells which one it is."""
    first, _, rest = SEED.partition(b"\n")
    view = TraceView(logs=[first + b"\n", rest], asked="660188", opened="e1")

    assert view.shown.raw.lines == ("@400000004b9da2f03b424bb4 new msg 660188",)
    assert view.shown.raw.place == "octets · line 1 · octet 0 · new_msg"


@pytest.mark.parametrize("name", ["opened", "chosen"])
def test_a_row_or_message_that_is_not_there_is_refused(seed, name):
    """In Python with a sentence, from a page without any effect."""
    with pytest.raises(t.TraitError, match=r"a row of the story|one of the 1 messages"):
        setattr(seed, name, {"opened": "e99", "chosen": 1}[name])
    press(seed, choose=99)
    press(seed, choose="x", ask=7)

    assert (seed.chosen, seed.opened) == (0, "")


def test_a_long_story_is_sent_in_pages(day):
    """A message with many recipients: never more rows than a page has."""
    lines = [b"new msg 7 queue1", b"info msg 7: bytes 9 from <a@example.com> qp 1 uid 2 queue1"]
    start = b"starting delivery 1.%d: msg 7 to remote u%d@example.org queue1"
    lines += [start % (number, number) for number in range(1, STORY_ROWS)]
    log = b"".join(b"@4000000049888d0606072d6e %b\n" % line for line in lines)
    view = TraceView(logs=[log], asked="7")
    assert (len(view.rows.rows), view.rows.pages) == (STORY_ROWS, 3)
    view.page = 3

    assert (view.rows.number, view.rows.rows[-1].is_gap, view.grid.page) == (3, True, 3)


def test_nothing_of_a_log_is_widget_state(seed):
    """It goes to the page as a message; a page that is shown later asks for it."""
    seed.opened = "e2"
    told = []
    seed.grid.send = told.append
    press(seed, hello=True)

    assert told == [{"draw": seed.grid.document}]
    for secret in ("fogcreek", "mailstore", "660188"):
        assert (secret in json.dumps(told), secret in state_of(seed)) == (True, False)


def test_the_form_without_a_kernel_says_the_same(seed, parse):
    """Words, and HTML with the rows, reasons and gaps; `trace_html` has them, too."""
    words = repr(seed)
    static, plain = parse(seed.static_html()).text, parse(str(trace_html(seed.trace))).text

    assert words.startswith("TraceView of message 660188: queue ? 660188, life 1, qp 3223: fogcreek_xxx@")
    assert words.endswith("6 pieces of evidence (5 certain, 1 possible), 1 gap.")
    for said in ("○ P possible", SCAN_WHY, "02:59:41.102", "2010-03-15", "no evidence: no log of qmail-smtpd"):
        assert (said in static, said in plain) == (True, True)


def test_hostile_text_in_every_place_of_a_trace_stays_text(hostile_strings, strangers):
    """Whatever log, mail or file a text is from."""
    for text in hostile_strings[::25]:
        one = trace.Evidence(
            source="mail", unix_ns=0, text=text, file=text, line_number=0, confidence="possible", reason=text
        )
        message = trace.TracedMessage(queue=text, sender=text, recipients=(text, text))
        parts = {"message": message, "confidence": "possible", "reason": text, "evidence": (one,), "gaps": (text,)}
        other = trace.Trace(question=text, **parts)
        shown = trace_html(trace.Trace(question=text, others=(other,), **parts))

        assert strangers(body_of(shown)) == []


def test_hostile_text_stays_text(payloads, strangers):
    """Sender, recipient, report and question: no element, attribute or class of theirs, and no hidden character."""
    for payload in payloads[::3]:
        octets = payload.replace("\n", " ").replace("\0", " ").encode("utf-8", "surrogatepass")
        lines = [
            b"new msg 7 queue1", b"info msg 7: bytes 9 from <%b@x> qp 1 uid 2 queue1" % octets,
            b"starting delivery 1.1: msg 7 to remote %b@y queue1" % octets,
            b"delivery 1.1: deferral: %b queue1" % octets,
        ]  # fmt: skip
        log = b"".join(b"@4000000049888d0606072d6e %b\n" % line for line in lines)
        view = TraceView(logs=[log], asked="7")
        view.opened = "e0"
        sent = json.dumps(view.grid.document, ensure_ascii=False)

        assert strangers(body_of(view.static_html())) == []
        assert not any(is_hidden(one) for one in sent + repr(view))
        view.asked = f"{payload}@"
        assert strangers(body_of(view.static_html())) == []
        assert not any(is_hidden(one) for one in view.grid.sentence + repr(view))


def test_a_kernel_stays_awake_while_a_question_is_answered(day):
    """Asked by a click in a loop, the work is done beside it."""

    async def asked():
        view = TraceView(day)
        press(view, ask=str(number_used_again(day)))
        busy = view.grid.busy
        press(view, ask="rubbish")  # not taken: one question at a time
        while view.grid.busy:
            await asyncio.sleep(0)
        return view, busy

    view, busy = asyncio.run(asked())
    assert (busy, view.asked, len(view.trace.candidates) > 1) == (True, str(number_used_again(day)), True)


def test_without_sources_the_view_says_what_it_needs():
    """No log, queue or mailbox: the place says so, and a question finds nothing."""
    view = TraceView(asked="5")

    assert view.grid.document["place"] == "nothing to look at: give logs, queues, mails or recordings"
    assert view.grid.sentence.startswith("No answer: no evidence of message 5 in nothing: no log, queue or mailbox")


def test_the_top_of_a_mail_is_shown_by_a_kernel_only(tmp_path):
    """The header down to the Received line that names the qp; what is below, and the body, are not read out."""
    log = b"new msg 7\ninfo msg 7: bytes 9 from <a@b> qp 7 uid 0\nstarting delivery 1: msg 7 to local c@d\n"
    log += b"delivery 1: success: did_1+0+0/\nend msg 7\n"
    stamped = b"".join(b"@400000006b01a2f03b424bb4 %b\n" % line for line in log.splitlines())
    when = logs.read(stamped).events["time"].iloc[0].strftime("%d %b %Y %H:%M:%S +0000").encode()
    mail = tmp_path / "mail"
    top = b"Delivered-To: c@d\nReceived: indimail-mta queue 7 by host x\n  (invoked by uid 0); %b\n" % when
    mail.write_bytes(top + b"Subject: secret-4711\n\nbody\n")
    view = TraceView(logs=[stamped], mails=[mail], asked="7")
    place = next(at for at, one in enumerate(view.story.evidence) if one.source == "mail")
    view.opened = f"e{place}"

    assert "\n".join(view.shown.raw.lines) + "\n" == top.decode()
    assert view.shown.raw.command == f"head -c {len(top)} {mail}"
    assert "secret-4711" not in json.dumps(view.grid.document) + view.static_html()
    assert "The top of the mail is shown by a kernel only." in view.static_html()
    mail.unlink()
    view.opened = ""
    view.opened = f"e{place}"
    assert view.shown.raw.note == "cannot be read any more: No such file or directory"


def test_a_recorded_session_is_said_to_be_one():
    """A lab's session: no file, its lines with passwords masked."""
    from indimail_kit.auth.transcript import WireChunk

    class Session:
        """A session of one mail."""

        pid = 7
        chunks = (
            WireChunk(0, "client", b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"),
            WireChunk(0, "server", b"250 ok 1795356720 qp 9\r\n"),
        )

    view = TraceView(recordings=[Session()], asked="qp 9", opened="e0")

    assert view.shown.raw.lines == (view.story.evidence[0].text,)
    assert view.shown.raw.place == "heard in a recorded session; passwords are masked"
    assert view.grid.document["without"] == "without the recorded sessions"


def test_a_trace_that_is_set_is_shown(seed, day):
    """One that another program asked for: its story, and no command, for nobody has asked here."""
    told = trace.message(number_used_again(day), logs=day.logs).others[0].alone()
    seed.trace = told
    assert (seed.story, seed.chosen, seed.rows.rows[0].key) == (told, 0, "e0")
    view = TraceView(logs=[SEED])
    view.trace = told

    assert (view.grid.document["command"], view.grid.document["verdict"][2]) == ("", told.reason)
    view.trace = None
    assert (view.rows, view.grid.sentence.startswith("Ask by")) == (None, True)


def test_a_closed_view_forgets_the_answer(seed):
    """What was drawn is gone."""
    seed.close()

    assert (seed.rows, seed.grid.document) == (None, {})
