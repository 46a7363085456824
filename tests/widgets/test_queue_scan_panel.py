"""QueueScanPanel: a message that waits is scanned by its number; what failed is never called clean."""

from __future__ import annotations

import threading

import pytest

from indimail_kit.errors import LabError, QueueError
from indimail_kit.mailqueue import create_queue
from indimail_kit.qhpsi import ScanAnswer, Verdict, eicar
from indimail_kit.widgets import QueueScanPanel


def put(layout, octets):
    """Put a preprocessed message into a queue, and return its number."""
    new = layout.directory / "pid" / "new"
    new.write_bytes(octets)
    number = new.stat().st_ino
    new.rename(layout.path("mess", number))
    layout.path("info", number).write_bytes(b"Fann@example.com\0")
    return number


@pytest.fixture
def queue(tmp_path):
    """Give a queue."""
    return create_queue(tmp_path / "queue1", split=3)


def panel(queue, verdict, **answer):
    """Return a panel whose scanner gives this answer."""
    said = ScanAnswer(verdict, scanner="a test", **answer)
    return QueueScanPanel(queue.directory.parent, scanner=lambda: lambda _path: said, scanner_name="a test")


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [
        (Verdict.CLEAN, "ik-good"),
        (Verdict.INFECTED, "ik-bad"),
        (Verdict.NOT_SCANNED, "ik-bad"),
        (Verdict.ERROR, "ik-bad"),
    ],
)
def test_verdict_is_shown_as_word_and_sign(queue, verdict, tone):
    """Only CLEAN has the good tone."""
    view = panel(queue, verdict)
    view.message = f"queue1/{put(queue, b'hi')}"
    view.scan_button.click()

    assert (view.scan.answer.verdict, view.status.tone) == (verdict, tone)
    assert f"{verdict.words} {verdict.mark}" in view.panel.value
    assert view.status.sentence.startswith(f"{verdict.mark} {verdict.words}")


def test_built_in_scanner_finds_the_test_virus(queue):
    """Without a scanner of one's own; a number alone is enough."""
    view = QueueScanPanel(queue.directory)
    view.message = str(put(queue, b"\n" + eicar()))

    assert view.scan_now().answer.verdict is Verdict.INFECTED


@pytest.mark.parametrize("message", ["", "x", "queue9/5", "queue1/5", "../5"])
def test_what_is_no_message_is_not_scanned(queue, message):
    """A sentence says so."""
    view = panel(queue, Verdict.CLEAN)
    view.message = message
    view.scan_button.click()

    assert (view.scan, view.status.tone, view.status.sentence[:11]) == (None, "ik-bad", "Not scanned")
    with pytest.raises(QueueError):
        view.scan_now()


def test_another_message_has_no_verdict_yet(queue):
    """What was said of the one before is gone."""
    view = panel(queue, Verdict.CLEAN)
    view.message = str(put(queue, b"hi"))
    view.scan_now()
    view.message = "queue1/7"

    assert (view.scan, view.panel.value, view.status.tone) == (None, "", "ik-quiet")


def test_one_scan_at_a_time(queue):
    """While the scanner looks, no other scan begins."""
    go_on, began = threading.Event(), threading.Event()

    def slow(_path):
        began.set()
        go_on.wait(10)
        return ScanAnswer(Verdict.CLEAN)

    view = QueueScanPanel(queue.directory, scanner=lambda: slow)
    view.message = str(put(queue, b"hi"))
    thread = threading.Thread(target=view.scan_button.click)
    thread.start()
    began.wait(10)
    try:
        with pytest.raises(LabError, match="has not ended"):
            view.scan_now()
    finally:
        go_on.set()
        thread.join()

    assert (view.scan.answer.verdict, view.scan_button.disabled) == (Verdict.CLEAN, False)


def test_hostile_signatures_and_reasons_stay_text(queue, payloads, strangers):
    """A scanner says what it likes; words and HTML without a kernel."""
    number = put(queue, b"hi")
    for payload in payloads[:60]:
        view = panel(queue, Verdict.INFECTED, signature=payload, reason=payload)
        view.message = f"queue1/{number}"
        view.scan_now()
        assert (strangers(view.panel.value), strangers(view.static_html())) == ([], [])
        assert (view.status.sentence + repr(view)).isprintable()
