"""The console against the real lab, and against servers that hang up, hang, or talk too much."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import threading
from types import SimpleNamespace

import pytest

from indimail_kit.errors import LabError
from indimail_kit.lab import Lab
from indimail_kit.widgets.smtp_console import ConsoleScreen, SmtpConsole
from indimail_kit.widgets.smtp_dialogue import MAX_LINE_BYTES, MAX_REPLY_BYTES

CANARY = "canary-4711"


def b64(text: str) -> str:
    """Return Base64, not the kit's own."""
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def real_lab():
    """Give a lab without clamd."""
    with Lab(scanner="embedded") as lab:
        yield lab


@pytest.fixture
def console(real_lab):
    """Give a console of the real lab."""
    with contextlib.closing(SmtpConsole(real_lab)) as console:
        yield console


@pytest.fixture
def sent(monkeypatch):
    """Give the list of messages that go to the browser."""
    messages = []
    monkeypatch.setattr(ConsoleScreen, "send", lambda _self, one: messages.append(one))
    return messages


@pytest.fixture
def serve():
    """Give a function that starts a server which says given octets, one after each line it hears."""
    stack = contextlib.ExitStack()

    def start(*texts: bytes, timeout_s: float = 5.0):
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def run() -> None:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                for text in texts:
                    connection.sendall(text)
                    connection.recv(65_536)

        thread = threading.Thread(target=run)
        thread.start()
        stack.callback(thread.join, 10)
        lab = SimpleNamespace(host="127.0.0.1", port=listening.getsockname()[1], users=())
        return stack.enter_context(contextlib.closing(SmtpConsole(lab, timeout_s=timeout_s)))

    with stack:
        yield start


def log_in(console, user: str, passwd: str) -> list[tuple[str, ...]]:
    """Play AUTH LOGIN."""
    return [console.say(line) for line in ("auth login", b64(user), b64(passwd))]


def test_login_by_hand(console):
    """As in a telnet: two questions, then 235; both are the server's own words."""
    replies = log_in(console, "ann@example.com", "pass")

    assert replies == [("334 VXNlcm5hbWU6",), ("334 UGFzc3dvcmQ6",), ("235 ok, go ahead (#2.0.0)",)]


def test_a_mail_by_hand(console, real_lab):
    """Lines of the mail's text have no reply; the dot has."""
    log_in(console, "ann@example.com", "pass")
    replies = [
        console.say(line)
        for line in ("MAIL FROM:<ann@example.com>", "RCPT TO:<bob@example.com>", "DATA", "Subject: hi", "", "hi", ".")
    ]

    assert ([reply[0][:3] if reply else "" for reply in replies], console.say("QUIT")[0][:3]) == (
        ["250", "250", "354", "", "", "", "250"],
        "221",
    )


def test_a_reply_of_many_lines_is_whole(console):
    """EHLO's answer ends with the line that has a blank behind its code."""
    reply = console.say("EHLO me")

    assert (len(reply) > 2, reply[-1][:4], {line[:4] for line in reply[:-1]}) == (True, "250 ", {"250-"})


def test_the_dialogue_is_explained(console):
    """The sentence says who logged in how; the console shows it."""
    log_in(console, "ann@example.com", "pass")

    explanation = console.explain()

    assert ("LOGIN as ann@example.com: accepted" in explanation.summary[0], "accepted" in console.panel.value) == (
        True,
        True,
    )


def test_a_wrong_password_is_told_apart(console):
    """The lab's demo password is known, so the explanation says that another one was sent."""
    log_in(console, "ann@example.com", "wrong")

    assert "not the password given" in " ".join(step.verdict for step in console.explain().steps)


@pytest.mark.parametrize(
    "lines",
    [
        ["auth login", b64("ann@example.com"), b64(CANARY)],
        ["auth plain", b64(f"\0ann@example.com\0{CANARY}")],
        [f"auth plain {b64(f'{CANARY}')}", b64(CANARY)],
        ["auth plain", CANARY, CANARY],
        ["auth", CANARY],
    ],
    ids=["LOGIN", "PLAIN", "initial response", "not Base64", "no mechanism"],
)
def test_typed_secrets_are_not_widget_state(lines, console, sent):
    """State, repr and HTML of an explained dialogue hold no form of a typed password; the live message has the line."""
    for line in lines:
        console.say(line)
    console.explain()
    states = [part.get_state() for part in (console, console.screen, console.panel)]
    seen = repr(states) + repr(console) + console.static_html() + repr(console._dialogue)

    octets = CANARY.encode()
    forms = (CANARY, b64(CANARY), octets.hex(), hashlib.md5(octets, usedforsecurity=False).hexdigest())
    assert ([form for form in forms if form in seen], {"lines": [["C", lines[-1]]]} in sent) == ([], True)


def test_close_forgets(real_lab):
    """Nothing typed is kept after close, and the connection is gone."""
    console = SmtpConsole(real_lab)
    log_in(console, "ann@example.com", CANARY)
    console.close()

    assert (console._dialogue.chunks, console._dialogue.is_open) == ((), False)


def test_reconnect_begins_anew(console):
    """A new connection greets, and what was said before is forgotten."""
    console.say("EHLO me")
    greeting = console.connect()

    assert (greeting[0][:4], len(console.screen.lines), console.screen.state) == ("220 ", 1, "open")


def test_a_server_that_hangs_up_is_said(serve):
    """The sentence says what happened and what to do; the next line is refused."""
    console = serve(b"220 hello\r\n")
    reply = console.say("EHLO me")
    with pytest.raises(LabError, match="connect again"):
        console.say("NOOP")

    assert (reply, console.screen.state, "Press Reconnect" in console.sentence) == ((), "closed", True)


def test_a_server_that_says_nothing_is_said(serve):
    """Nobody waits for ever: after the time the sentence says so, and the connection stays."""
    console = serve(b"220 hello\r\n", b"", timeout_s=0.2)
    reply = console.say("EHLO me")

    assert (reply, console.sentence, console.screen.state) == ((), "No reply within 0.2 s.", "open")


@pytest.mark.parametrize("flood", [b"x" * (MAX_REPLY_BYTES + 5000), b"250-x\r\n" * 20_000], ids=["line", "lines"])
def test_an_endless_reply_is_cut(flood, serve):
    """A server cannot fill the memory."""
    console = serve(b"220 hello\r\n", flood)
    reply = console.say("EHLO me")

    assert (sum(map(len, reply)) < 2 * MAX_REPLY_BYTES, console.screen.state) == (True, "closed")


@pytest.mark.parametrize("line", ["x" * MAX_LINE_BYTES, "a\nb", "a\rb"], ids=["too long", "LF", "CR"])
def test_only_one_line_of_bounded_length_is_sent(line, console):
    """A second command cannot hide in a line; what is refused is not sent."""
    console.say("EHLO me")
    with pytest.raises(LabError, match="one line"):
        console.say(line)

    assert console.say("NOOP")[0][:3] == "250"


def test_nobody_listens():
    """A lab that is not there is an error for Python and a sentence for the screen."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lab = SimpleNamespace(host="127.0.0.1", port=port, users=())
    with contextlib.closing(SmtpConsole(lab)) as console:
        with pytest.raises(LabError, match="no connection"):
            console.connect()

        assert (console.screen.state, "no connection" in console.sentence) == ("closed", True)


def test_hostile_replies_stay_text(serve, strangers, hostile_strings):
    """Markup in a reply is text in the HTML, too, and control characters are written out."""
    texts = [
        f"250-{text}".encode("utf-8", "replace").replace(b"\n", b"").replace(b"\r", b"")
        for text in hostile_strings[:300]
    ]
    console = serve(b"220 hello\r\n", b"\r\n".join([*texts, b"250 end\r\n"]))
    console.say("EHLO me")
    console.explain()

    assert (strangers(console.static_html()), strangers(console.panel.value), len(console.screen.lines) > 100) == (
        [],
        [],
        True,
    )


def test_messages_of_a_browser(console, sent):
    """Connect, a line, explain: as pressed; another message does nothing."""
    for message in ({"connect": True}, {"say": "NOOP"}, {"explain": True}, {"other": 1}, {"say": 7}):
        console._on_message(console.screen, message, [])

    assert ([who for who, _ in console.screen.lines], "NOOP" in console.panel.value) == (["S", "C", "S"], True)
