"""Hostile strings, a reader of HTML as a browser reads it, and a lab that is only a script of stations.

The scripted lab is for failures and delays that a real lab cannot be asked for; the real one is used in tests/browser
and in tests/test_notebooks.py.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import html5lib
import pytest

from indimail_kit.lab.journey import STATION_KEYS, Journey, RawBlock, Station, StationState


def scripted_journey(text: str = "plain", *, unix_ns: int = 1_795_356_723_000_000_000, **changes: Any) -> Journey:
    """Return an infected mail's journey in which `text` stands wherever text of a mail can stand."""
    raw = (RawBlock(title=text, text=text, path=text, offset=7, command=text),)
    stations = tuple(
        Station(key, StationState.DONE, summary=text, sentence=text, elapsed_ms=12.5, facts=((text, text),), raw=raw)
        for key in STATION_KEYS
    )
    journey = Journey(
        case="", sender=text, recipient=text, mechanism="CRAM-MD5", smtp_reply="250 ok 1795356723 qp 6543",
        queue="queue2", message_number=660188, qp=6543, verdict="INFECTED", signature=text,
        header="X-QHPSI: Virus found", unix_ns=unix_ns, elapsed_ms=84.0, stations=stations,
        delivered_to=f"{text} Quarantine", folder="Quarantine",
    )  # fmt: skip
    return replace(journey, **changes)


class ScriptedLab:
    """Sends nothing: tells the stations of a journey from another thread, or raises.

    Attributes:
        orders: The arguments of each call of `send`.
        gate: `send` waits for it after the first station.
        journey: What `send` tells and returns.
        error: What `send` raises instead.
    """

    def __init__(self, journey: Journey | None = None, *, error: BaseException | None = None) -> None:
        self.users: tuple[str, ...] = ("postmaster@example.com", "ann@example.com", "bob@example.com")
        self.scanner_name = "a scripted scanner"
        self.queue_base = Path("somewhere/ik-lab-1/queue")
        self.is_running = True
        self.journeys: list[Journey] = []
        self.orders: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.journey = journey or scripted_journey()
        self.error = error

    def send(self, *, on_station: Callable[[Station], None] | None = None, **order: Any) -> Journey:
        """Tell the script's stations from a thread of its own, as the lab does."""
        self.orders.append(order)
        if self.error is not None:
            raise self.error
        assert on_station is not None
        self._tell(on_station, self.journey.stations[:1])
        self.gate.wait(10)
        self._tell(on_station, self.journey.stations[1:])
        self.journeys.append(self.journey)
        return self.journey

    def _tell(self, on_station: Callable[[Station], None], stations: Sequence[Station]) -> None:
        thread = threading.Thread(target=lambda: [on_station(station) for station in stations])
        thread.start()
        thread.join()


@pytest.fixture(scope="session")
def make_journey() -> Callable[..., Journey]:
    """Give the maker of scripted journeys."""
    return scripted_journey


@pytest.fixture
def make_lab() -> type[ScriptedLab]:
    """Give the maker of scripted labs."""
    return ScriptedLab


@pytest.fixture
def lab() -> ScriptedLab:
    """Give a lab in which every mail is infected and arrives."""
    return ScriptedLab()


_HOSTILE = json.loads((Path(__file__).parent / "hostile.json").read_text(encoding="ascii"))


_ALLOWED_TAGS = """
article button caption code dd details div dl dt header li ol p pre section span strong style summary
table tbody td th thead time tr ul
"""
_ALLOWED_ATTRIBUTES = """
aria-current aria-hidden aria-label aria-level class datetime open role scope tabindex title type
"""


def hostile() -> Iterator[str]:
    """Yield every payload after every breaker, bare and with an open end."""
    for breaker, payload, tail in itertools.product(_HOSTILE["breakers"], _HOSTILE["payloads"], ("", "<b ")):
        yield breaker + payload + tail


@pytest.fixture(scope="session")
def hostile_strings() -> tuple[str, ...]:
    """Give all hostile strings."""
    return tuple(hostile())


@pytest.fixture(scope="session")
def payloads() -> tuple[str, ...]:
    """Give the payloads alone."""
    return tuple(_HOSTILE["payloads"])


class Parsed:
    """Markup as an HTML parser of the standard's algorithm sees it.

    Attributes:
        elements: Name and attributes of every element, comments as the name "!".
        text: The text of the page.
    """

    def __init__(self, markup: str) -> None:
        tree = html5lib.parseFragment(markup, treebuilder="etree", namespaceHTMLElements=False)
        nodes = list(tree.iter())[1:]
        self.elements = [(node.tag if isinstance(node.tag, str) else "!", dict(node.attrib)) for node in nodes]
        self.text = "".join(tree.itertext())


@pytest.fixture(scope="session")
def parse() -> type[Parsed]:
    """Give the parser."""
    return Parsed


_OWN_PICTURE = re.compile(r"data:image/png;base64,iVBORw0KGgo[A-Za-z0-9+/]+={0,2}")


def _is_own_picture(tag: str, has: dict[str, str]) -> bool:
    """Tell whether an element is a PNG whose octets stand in the page, with words and nothing else."""
    own = {"alt", "class", "src"}
    is_ours = has.get("class", "").startswith("ik-") and _OWN_PICTURE.fullmatch(has.get("src", "")) is not None
    return tag == "img" and set(has) == own and is_ours and bool(has["alt"])


@pytest.fixture(scope="session")
def strangers() -> Callable[[str], list[str]]:
    """Give the function that lists what a markup has beyond an allow-list of its own, not the door's."""
    tags = set(_ALLOWED_TAGS.split())
    attributes = set(_ALLOWED_ATTRIBUTES.split())

    def list_strangers(markup: str) -> list[str]:
        elements = [(tag, has) for tag, has in Parsed(markup).elements if not _is_own_picture(tag, has)]
        found = [tag for tag, _ in elements if tag not in tags]
        found += [name for _, has in elements for name in has if name not in attributes]
        found += [cls for _, has in elements for cls in has.get("class", "").split() if not cls.startswith("ik-")]
        return found

    return list_strangers
