"""A case about who may connect: a rule of tcp.smtp that looks right and matches nobody.

Source: IndiMail ucspi-tcp-x tcprules.c, rules.c: the prefix of a network ends with a dot.

Rule 1: a door that is open to everybody is no repair.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from indimail_kit.lab.case import Case, Deed, Edit, Finding, bad, good
from indimail_kit.lab.case_site import NoAnswerError, Probe
from indimail_kit.lab.cases_scanner import draw_people
from indimail_kit.lab.client import send_mail
from indimail_kit.lab.places import DEMO_PASSWORD, Places

if TYPE_CHECKING:
    from indimail_kit.lab.case_site import Site
    from indimail_kit.lab.lab import Lab

_TIMEOUT_S: Final = 5.0
_TRIES: Final = 3

_RULES: Final = """\
# This host, and the branch office. Everybody else stays out.
127.0.0.1:allow
{office}:allow
:deny
"""


def _draw_office(rng: random.Random) -> dict[str, str]:
    first, other = rng.sample(range(10, 250), 2)
    net = f"127.{first}.{rng.randrange(1, 250)}"
    stranger = f"127.{other}.{rng.randrange(1, 250)}.{rng.randrange(1, 250)}"
    return {**draw_people(rng), "net": net, "office": f"{net}.{rng.randrange(1, 250)}", "stranger": stranger}


def _spoil_office(lab: Lab, facts: dict[str, str]) -> None:
    Places(lab.directory).rules.write_text(_RULES.format(office=facts["net"]), encoding="utf-8")
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):  # smtplib's errors are some
            send_mail(
                address=(lab.host, lab.port), sender=facts["address"], recipient=facts["other_address"],
                mechanism="PLAIN", authcid=facts["address"], passwd=DEMO_PASSWORD, timeout_s=_TIMEOUT_S,
                mail=b"Subject: hello\r\n\r\nhello\r\n", source=facts["office"],
                on_port=lambda _port: None, on_reply=lambda _stage, _reply: None,
            )  # fmt: skip
    lab.send(sender=facts["other_address"], recipient=facts["address"])


def _try_from(site: Site, source: str) -> Probe:
    """Send a mail from an address; a door that is shut is an answer."""
    with contextlib.suppress(NoAnswerError):
        return site.send(sender=site.facts["address"], recipient=site.facts["other_address"], source=source)
    return Probe("")


def _grade_office(site: Site) -> Iterator[Finding]:
    facts = site.facts
    here = site.send(sender=facts["other_address"], recipient=facts["address"])
    if here.path is not None:
        yield good("A mail from this host arrives.")
    else:
        yield bad(f"A mail from this host: {here.reply or 'the server hangs up'}")
    office = _try_from(site, facts["office"])
    if office.path is not None:
        yield good(f"A mail from the branch office ({facts['office']}) arrives.")
    else:
        yield bad(f"A mail from the branch office ({facts['office']}): {office.reply or 'the server hangs up'}")
    stranger = _try_from(site, facts["stranger"])
    if stranger.reply:
        yield bad(f"A stranger ({facts['stranger']}) gets in, too: {stranger.reply}")
    else:
        yield good(f"A stranger ({facts['stranger']}) stays out.")


def _solve_office(site: Site) -> Iterator[Deed]:
    net = f"{site.facts['net']}."
    yield Edit(site.places.rules, _RULES.format(office=net), f"{net}:allow, with a dot at the end of the network")


OFFICE_SHUT: Final = Case(
    name="office-shut",
    title="a rule of tcp.smtp without the dot: it matches nobody",
    complaint="{user} telephones from the branch office: since the new firewall rules my mail program says that the"
    " server hangs up before it has said a word. In the main house nobody has trouble.",
    truth="tcp.smtp has the rule {net}:allow for the branch office. Without a dot at its end it is no network but an"
    " address, and one that nobody has; so the rule for everybody counts, deny. tcprules takes it without a word.",
    hints=(
        "Does the connection come here at all? tcpserver tells it: indimail-kit logs events {SMTPD_LOG}",
        "deny {office}: by which rule? indimail-kit tcprules check {RULES} {office}",
        "There is a rule for the branch office. Why does it not count? indimail-kit doctor --control {CONTROL}",
        (
            "The prefix of a network ends with a dot: write {net}.:allow into {RULES}. It is read for each connection"
            " here; a real host needs indimail-kit tcprules compile, too. Everybody else stays out."
        ),
    ),
    lesson="02_qhpsi.ipynb",
    spoil=_spoil_office,
    grade=_grade_office,
    solve=_solve_office,
    draw=_draw_office,
)

CASES: Final = (OFFICE_SHUT,)
"""All of them."""
