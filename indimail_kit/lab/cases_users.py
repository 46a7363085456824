"""Cases about who may log in: a password that CRAM cannot use, and somebody who tries many.

Source: the seed text of 2010 (``vpasswd -e``); vpasswd(1); tcprules(1); INDIMAIL's err_authfailure().

Rule 1: passwords are the demo's, which everybody knows; none is in a finding or a hint.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from indimail_kit.auth.accounts import UserTable
from indimail_kit.auth.stored import StoredForm
from indimail_kit.control.tcprules import parse_rules
from indimail_kit.lab.case import Case, Deed, Edit, Finding, Kit, bad, good
from indimail_kit.lab.case_site import Site
from indimail_kit.lab.cases_scanner import draw_people
from indimail_kit.lab.client import send_mail
from indimail_kit.lab.places import DEMO_PASSWORD, DOMAIN, USERS, Places

if TYPE_CHECKING:
    from indimail_kit.lab.lab import Lab

# --- no clear password -----------------------------------------------------------------------------------------------


def _spoil_form(lab: Lab, facts: dict[str, str]) -> None:
    with UserTable(f"sqlite:///{Places(lab.directory).users}", create=False) as users:
        users.passwd(facts["address"], DEMO_PASSWORD, form=StoredForm.CRYPT)
    for mechanism in ("CRAM-MD5", "CRAM-MD5", "PLAIN"):
        lab.send(sender=facts["address"], recipient=facts["other_address"], mechanism=mechanism)


def _grade_form(site: Site) -> Iterator[Finding]:
    facts = site.facts
    for mechanism in ("CRAM-MD5", "PLAIN"):
        probe = site.send(sender=facts["address"], recipient=facts["other_address"], mechanism=mechanism)
        if probe.path is not None:
            yield good(f"{facts['user']} logs in with {mechanism}, and the mail arrives.")
        else:
            yield bad(f"{facts['user']} and the usual password, with {mechanism}: {probe.reply or 'no reply'}")
    other = site.send(sender=facts["other_address"], recipient=facts["address"])
    if other.path is not None:
        yield good(f"{facts['other']} logs in with CRAM-MD5 as before.")
    else:
        yield bad(f"{facts['other']} and the usual password, with CRAM-MD5: {other.reply or 'no reply'}")


def _solve_form(site: Site) -> Iterator[Deed]:
    url = f"sqlite:///{site.places.users}"
    arguments = ("accounts", "passwd", site.facts["address"], "--database", url, "--store", "cram", "--password-stdin")
    yield Kit(arguments, stdin=f"{DEMO_PASSWORD}\n", note="then type the usual password, and Enter")


NO_CLEAR_PASSWORD: Final = Case(
    name="no-clear-password",
    title="a user is stored without the clear password: CRAM fails, PLAIN works",
    complaint="{user} says: since I got a new account my mail program refuses my password. With the old laptop and the"
    " same password it works. I have typed it ten times.",
    truth="Of {user}'s password only a hash is stored. The old laptop sends the password itself (PLAIN), and its hash"
    " can be compared. CRAM-MD5 proves the password by a keyed digest, for which the server needs the clear password:"
    " vpasswd -e stores it, in the form {{CRAM}}.",
    hints=(
        (
            "Two programs, one password. What is different between the sessions? indimail-kit logs report {SMTPD_LOG}"
            " --view auth, and indimail-kit logs events {SMTPD_LOG}"
        ),
        (
            "PLAIN works and CRAM-MD5 does not, for one user. What is stored of the password?"
            " indimail-kit accounts list --database sqlite:///{USERS}"
        ),
        "CRAM needs the clear password in the table, as vpasswd -e stores it. Compare {user} with {other}.",
        "indimail-kit accounts passwd {address} --database sqlite:///{USERS} --store cram, with the usual password.",
    ),
    lesson="01_auth.ipynb",
    spoil=_spoil_form,
    grade=_grade_form,
    solve=_solve_form,
    draw=draw_people,
)

# --- password guessing ------------------------------------------------------------------------------------------------

_GUESSES: Final = 30
_SLIPS: Final = 2
_TRIED: Final = (*USERS, "admin", "info", "office", "sales", "test", "backup")
"""Whose passwords are tried: the users, and names that a stranger takes from a list."""


def _draw_guesser(rng: random.Random) -> dict[str, str]:
    net = f"127.{rng.randrange(20, 250)}.{rng.randrange(256)}"
    guesser, neighbour = rng.sample(range(2, 250), 2)
    return {**draw_people(rng), "guesser": f"{net}.{guesser}", "neighbour": f"{net}.{neighbour}", "net": f"{net}."}


def _spoil_guesser(lab: Lab, facts: dict[str, str]) -> None:
    def login(source: str, number: int, passwd: str) -> None:
        user = facts["address"] if source == facts["neighbour"] else f"{_TRIED[number % len(_TRIED)]}@{DOMAIN}"
        send_mail(
            address=(lab.host, lab.port), sender=user, recipient=facts["other_address"], mechanism="PLAIN",
            authcid=user, passwd=passwd, timeout_s=5.0, mail=b"Subject: hello\r\n\r\nhello\r\n", source=source,
            on_port=lambda _port: None, on_reply=lambda _stage, _reply: None,
        )  # fmt: skip

    for number in range(_GUESSES):
        login(facts["guesser"], number, f"summer{number}")
        if number < _SLIPS:
            login(facts["neighbour"], number, f"{DEMO_PASSWORD}{number}")
        elif number == _SLIPS:
            login(facts["neighbour"], number, DEMO_PASSWORD)


def _grade_guesser(site: Site) -> Iterator[Finding]:
    facts = site.facts
    rules = parse_rules(site.places.rules.read_bytes(), source=str(site.places.rules))
    if rules.find(facts["guesser"]).action == "deny":
        yield good(f"The rules turn {facts['guesser']} away.")
    else:
        yield bad(f"The rules still allow {facts['guesser']}, from which passwords are tried.")
    for ip in (facts["neighbour"], site.address[0]):
        if rules.find(ip).action == "deny":
            yield bad(f"The rules turn {ip} away, too, where honest people are.")
    probe = site.send(sender=facts["address"], recipient=facts["other_address"], source=facts["guesser"])
    if probe.is_taken:
        yield bad(f"The server takes mail from {facts['guesser']}.")
    mail = site.send(sender=facts["address"], recipient=facts["other_address"], source=facts["neighbour"])
    if mail.path is not None:
        yield good(f"{facts['user']} sends mail from {facts['neighbour']} as before.")
    else:
        yield bad(f"{facts['user']} cannot send mail from {facts['neighbour']}: {mail.reply or 'no reply'}")


def _solve_guesser(site: Site) -> Iterator[Deed]:
    rules = site.places.rules.read_text(encoding="utf-8")
    yield Edit(
        site.places.rules, f"{site.facts['guesser']}:deny\n{rules}", f"add the line {site.facts['guesser']}:deny"
    )


PASSWORD_GUESSING: Final = Case(
    name="password-guessing",
    title="somebody tries passwords",
    complaint="The colleague who watches the disks says: the log of the mail server has grown faster than usual since"
    " last night, although there is not more mail. Nobody else complains.",
    truth="From {guesser} somebody tries passwords of many users, some of whom do not exist. {neighbour} in the same"
    " network is {user}, who mistyped the password {slips} times and then logged in. The cure is a line in tcp.smtp for"
    " the one address.",
    hints=(
        "What are the new lines about? indimail-kit logs events {SMTPD_LOG}",
        "Who fails to log in, how often, and from where? indimail-kit logs report {SMTPD_LOG} --view auth",
        (
            "Many users from one address, and never a success: that is no user. One address with few failures and a"
            " mail behind them is somebody who mistyped."
        ),
        (
            "tcpserver turns an address away by a rule: a line ADDRESS:deny in {RULES}. Try it:"
            " indimail-kit tcprules check {RULES} ADDRESS, for the honest address, too."
        ),
    ),
    lesson="04_logs.ipynb",
    spoil=_spoil_guesser,
    grade=_grade_guesser,
    solve=_solve_guesser,
    draw=lambda rng: {**_draw_guesser(rng), "slips": str(_SLIPS)},
)

CASES: Final = (NO_CLEAR_PASSWORD, PASSWORD_GUESSING)
"""All of them."""
