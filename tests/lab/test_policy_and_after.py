"""REJECTVIRUS, VIRUSFORWARD, QUARANTINE and the filters behind them, end to end: from the client to the Maildir."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from indimail_kit.delivery.vfilter import parse_command
from indimail_kit.errors import FilterError, LabError
from indimail_kit.lab import Lab
from indimail_kit.lab.filters import LabFilters
from indimail_kit.lab.journey import Journey

BOB = "bob@example.com"
KEEPER = "postmaster@example.com"
VARIABLES = ("REJECTVIRUS", "VIRUSFORWARD", "QUARANTINE", "QQEH", "FASTQUEUE")


@pytest.fixture
def policy_lab(lab: Lab) -> Iterator[Lab]:
    """The embedded lab; variables, control files and rules are as before afterwards."""
    rules, before = dict(lab.filters.rules), {name: lab.variable(name) for name in VARIABLES}
    yield lab
    for name, value in before.items():
        lab.set_variable(name, value)
    (lab.directory / "control" / "quarantine").unlink(missing_ok=True)
    lab.filters.rules.clear()
    lab.filters.rules.update(rules)
    for switch in ("vfilter", "noprefilt", "nopostfilt"):
        lab.filters.switch(BOB, switch, is_on=False)


def stored(journey: Journey) -> list[str]:
    """Return the first lines of the stored mail, without their changing parts."""
    assert journey.arrival is not None
    lines = journey.arrival.stored.decode().split("\n")
    return [line for line in lines[: lines.index("")] if line.startswith(("Return-Path", "Delivered-To", "X-"))]


INFECTED_TO_QUARANTINE = [
    "Return-Path: <ann@example.com>", f"Delivered-To: {BOB}", "X-QHPSI: Virus found",
]  # fmt: skip


@pytest.mark.parametrize(
    ("reject_virus", "reply", "folder"),
    [
        (None, "250 ", "Quarantine"),
        ("", "250 ", "Quarantine"),
        ("0", "250 ", "Quarantine"),
        ("text", "250 ", "Quarantine"),
        ("1", "554 qq message contains virus (#5.7.1)", ""),
        ("3", "554 qq message contains virus (#5.7.1)", ""),
        ("2", "250 ", ""),
    ],
    ids=["unset", "empty", "0", "text", "1", "3", "2"],
)
def test_rejectvirus_decides_what_becomes_of_a_virus(
    policy_lab: Lab, reject_virus: str | None, reply: str, folder: str
) -> None:
    """Taken and marked, refused, or swallowed behind a 250; a clean mail is never touched by it."""
    policy_lab.set_variable("REJECTVIRUS", reject_virus)

    infected, clean = policy_lab.send(attach="eicar"), policy_lab.send()

    assert infected.smtp_reply.startswith(reply)
    assert (infected.folder, clean.folder) == (folder, "Inbox")


@pytest.mark.parametrize(
    ("reject_virus", "reply", "keeper"),
    [("0", "250 ", KEEPER), ("2", "250 ", KEEPER), ("1", "554 ", "")],
    ids=["0", "2", "1"],
)
def test_virusforward_gives_the_infected_mail_to_one_address(
    policy_lab: Lab, reject_virus: str, reply: str, keeper: str
) -> None:
    """Instead of its recipients, whom the header names; with REJECTVIRUS 2 it is not swallowed, with 1 refused."""
    policy_lab.set_variable("REJECTVIRUS", reject_virus)
    policy_lab.set_variable("VIRUSFORWARD", KEEPER)

    infected, clean = policy_lab.send(attach="eicar"), policy_lab.send()

    assert infected.smtp_reply.startswith(reply)
    assert infected.delivered_to.partition(" ")[0] == keeper
    assert clean.delivered_to == f"{BOB} Inbox"
    assert infected.arrival is None or stored(infected) == [
        "Return-Path: <ann@example.com>",
        f"Delivered-To: {KEEPER}",
        "X-QHPSI: Virus found",
        f"X-Quarantine-ID: {KEEPER},{BOB}",
    ]


def _variable(lab: Lab) -> None:
    lab.set_variable("QUARANTINE", KEEPER)


def _control_file(lab: Lab) -> None:
    (lab.directory / "control" / "quarantine").write_text(f"# who looks at all mail\n{KEEPER}\n", encoding="ascii")


@pytest.mark.parametrize("switch_on", [_variable, _control_file], ids=["variable", "control file"])
def test_quarantine_takes_every_mail(policy_lab: Lab, switch_on: Callable[[Lab], None]) -> None:
    """Clean or not, one address gets it, and X-Quarantine-ID says for whom it was."""
    switch_on(policy_lab)
    policy_lab.set_variable("QQEH", "X-From-QQEH: yes")

    clean, infected = policy_lab.send(), policy_lab.send(attach="eicar")

    assert [one.delivered_to for one in (clean, infected)] == [f"{KEEPER} Inbox", f"{KEEPER} Quarantine"]
    assert stored(clean) == [
        "Return-Path: <ann@example.com>",
        f"Delivered-To: {KEEPER}",
        "X-QHPSI: clean",
        f"X-Quarantine-ID: {KEEPER},{BOB}",
        "X-From-QQEH: yes",
    ]
    assert stored(infected)[2:4] == ["X-QHPSI: Virus found", f"X-Quarantine-ID: {KEEPER},{BOB}"]


def test_quarantine_keeps_what_rejectvirus_2_would_swallow(policy_lab: Lab) -> None:
    """The mail is not lost: the quarantine has it."""
    policy_lab.set_variable("REJECTVIRUS", "2")
    policy_lab.set_variable("QUARANTINE", KEEPER)

    assert policy_lab.send(attach="eicar").delivered_to == f"{KEEPER} Quarantine"


def test_empty_variable_switches_the_control_file_off(policy_lab: Lab) -> None:
    """QUARANTINE set and empty goes before control/quarantine."""
    _control_file(policy_lab)
    policy_lab.set_variable("QUARANTINE", "")

    assert policy_lab.send().delivered_to == f"{BOB} Inbox"


def test_virusforward_goes_before_quarantine(policy_lab: Lab) -> None:
    """After a virus its address counts; every other mail goes to the quarantine."""
    policy_lab.set_variable("QUARANTINE", KEEPER)
    policy_lab.set_variable("VIRUSFORWARD", "carol@example.com")

    infected, clean = policy_lab.send(attach="eicar"), policy_lab.send()

    assert (infected.delivered_to, clean.delivered_to) == ("carol@example.com Quarantine", f"{KEEPER} Inbox")


def test_control_file_that_cannot_be_read_refuses_for_now(policy_lab: Lab) -> None:
    """Nobody guesses who gets the mail."""
    (policy_lab.directory / "control" / "quarantine").mkdir()
    try:
        journey = policy_lab.send()
    finally:
        (policy_lab.directory / "control" / "quarantine").rmdir()

    assert journey.smtp_reply == "451 Sorry, I'm unable to read controls (#4.3.0)"


def test_fastqueue_skips_scan_and_quarantine(policy_lab: Lab) -> None:
    """FASTQUEUE: nobody looks at the mail, nothing is put on top of it."""
    policy_lab.set_variable("QUARANTINE", KEEPER)
    policy_lab.set_variable("FASTQUEUE", "1")

    journey = policy_lab.send(attach="eicar")

    assert (journey.verdict, journey.delivered_to) == ("", f"{BOB} Inbox")
    assert stored(journey) == ["Return-Path: <ann@example.com>", f"Delivered-To: {BOB}"]


# ---- filters ----

TO_SPAM = f'vcfilter -i -t mine -h Subject -c 1 -k "special offer" -f Spam -b 0 {BOB}'


@pytest.mark.parametrize(
    ("rule", "switches", "folder"),
    [
        (TO_SPAM, (), "Inbox"),
        (TO_SPAM, ("vfilter",), "Spam"),
        (TO_SPAM.replace("-f Spam", "-f Inbox"), ("vfilter",), "Inbox"),
        (TO_SPAM.replace(BOB, "prefilt@example.com"), (), "Spam"),
        (TO_SPAM.replace(BOB, "prefilt@example.com"), ("noprefilt",), "Inbox"),
        (TO_SPAM.replace(BOB, "postfilt@example.com"), (), "Inbox"),
        (TO_SPAM.replace(BOB, "postfilt@example.com"), ("vfilter",), "Spam"),
        (TO_SPAM.replace(BOB, "postfilt@example.com"), ("vfilter", "nopostfilt"), "Inbox"),
    ],
    ids=["mine, not switched on", "mine", "to the inbox", "prefilt", "noprefilt", "postfilt, not switched on",
         "postfilt", "nopostfilt"],
)  # fmt: skip
def test_rules_are_asked_in_vfilters_order(policy_lab: Lab, rule: str, switches: tuple[str, ...], folder: str) -> None:
    """Prefilt for all; one's own and postfilt only with Maildir/vfilter; the no-files switch the domain's off."""
    policy_lab.filters.vcfilter(rule)
    for switch in switches:
        policy_lab.filters.switch(BOB, switch)

    assert policy_lab.send(subject="A Special Offer").folder == folder


def test_prefilt_comes_before_my_own_rule(policy_lab: Lab) -> None:
    """The first that matches wins: the domain's virus rule takes the mail before mine is asked."""
    policy_lab.filters.vcfilter(f"vcfilter -i -t all -h From -c 1 -k ann -f Friends -b 0 {BOB}")
    policy_lab.filters.switch(BOB, "vfilter")

    assert [policy_lab.send(attach=one).folder for one in ("none", "eicar")] == ["Friends", "Quarantine"]


@pytest.mark.parametrize(
    ("folder", "bounce", "delivered_to", "copies"),
    [
        ("/NoDeliver", "0", "nowhere", {}),
        ("Spam", "1", "bounce to ann@example.com", {"bob Spam": 1, "ann Inbox": 1}),
        ("/NoDeliver", "1", "bounce to ann@example.com", {"ann Inbox": 1}),
        ("Spam", "2&carol@example.com", f"{BOB} Spam", {"bob Spam": 1, "carol Inbox": 1}),
        ("/NoDeliver", "2&carol@example.com", "forwarded to carol@example.com", {"carol Inbox": 1}),
        ("Spam", "3&carol@example.com", "bounce to ann@example.com",
         {"bob Spam": 1, "ann Inbox": 1, "carol Inbox": 1}),
    ],
    ids=["nobody", "folder and bounce", "bounce", "folder and forward", "forward", "all three"],
)  # fmt: skip
def test_action_of_a_rule_is_done(
    make_lab: Callable[..., Lab], folder: str, bounce: str, delivered_to: str, copies: dict[str, int]
) -> None:
    """Folders, /NoDeliver, bounce (1), forward (2&address) and both (3&address): who has a copy in the end."""
    lab = make_lab()
    lab.filters.vcfilter(f'vcfilter -i -t act -h Subject -c 0 -k "act on me" -f {folder} -b "{bounce}" {BOB}')
    lab.filters.switch(BOB, "vfilter")

    journey = lab.send(subject="Act on me")
    lab.send(subject="the next mail goes its way when the forwarded one has gone", recipient="ann@example.com")

    assert journey.delivered_to == delivered_to
    assert _copies(lab, "Act on me") == copies


def test_mail_that_was_thrown_away_is_not_said_to_be_in_the_inbox(make_lab: Callable[..., Lab]) -> None:
    """The journey said "bob@example.com Inbox" of a mail that a filter had thrown away."""
    lab = make_lab()
    lab.filters.vcfilter('vcfilter -i -t no -h Subject -c 0 -k "away" -f /NoDeliver -b 0 prefilt@example.com')

    journey = lab.send(subject="away with it")

    assert (journey.folder, journey.delivered_to, journey.arrival) == ("", "nowhere", None)
    assert journey.station("inbox").sentence == (
        "A filter threw it away (/NoDeliver); no folder of bob@example.com has it."
    )


def _copies(lab: Lab, subject: str) -> dict[str, int]:
    """Count the mails with a subject in every folder of every user."""
    counts: dict[str, int] = {}
    for path in sorted((lab.directory / "mail" / "example.com").rglob("new/*")):
        user, _, *folder = path.relative_to(lab.directory / "mail" / "example.com").parts
        if subject in path.read_text():
            key = f"{user} {folder[0].removeprefix('.') if len(folder) > 2 else 'Inbox'}"
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_vcfilter_adds_updates_shows_and_deletes(policy_lab: Lab) -> None:
    """Rules get the next number; an update keeps the name; a show changes nothing; each answers with the list."""
    filters = policy_lab.filters
    filters.vcfilter(TO_SPAM)
    filters.vcfilter(TO_SPAM.replace("mine", "second"))
    updated = filters.vcfilter(f"vcfilter -u 1 -h From -c 1 -k offer -f Offers -b 0 {BOB}")
    shown = filters.vcfilter(f"vcfilter -s {BOB}")
    left = filters.vcfilter(f"vcfilter -d 1 {BOB}")

    assert [(rule.filter_no, rule.filter_name, rule.destination) for rule in updated] == [
        (1, "mine", "Offers"),
        (2, "second", "Spam"),
    ]
    assert shown == updated
    assert [rule.filter_no for rule in left] == [2]
    assert "second" in left._repr_html_()
    assert repr(filters) == f"<LabFilters, prefilt@example.com: 1, {BOB}: 1>"


def test_rule_of_comparision_5_has_number_0_and_comes_first(policy_lab: Lab) -> None:
    """There is one of it, as in IndiMail."""
    line = f"vcfilter -i -t others -c 5 -f Lists -b 0 {BOB}"
    policy_lab.filters.vcfilter(TO_SPAM)
    policy_lab.filters.vcfilter(line)

    assert [rule.filter_no for rule in policy_lab.filters.vcfilter(line)] == [0, 1]


def test_command_is_taken_as_a_value_too(policy_lab: Lab) -> None:
    """What was read before is done the same."""
    assert policy_lab.filters.vcfilter(parse_command(TO_SPAM)) == policy_lab.filters.vcfilter(f"vcfilter -s {BOB}")


@pytest.mark.parametrize(
    ("line", "error", "expected"),
    [
        (f"vcfilter -d 7 {BOB}", LabError, "a rule of this address with the number 7"),
        (f"vcfilter -u 7 -c 5 -f x -b 0 {BOB}", LabError, "a rule of this address with the number 7"),
        ("vcfilter -s eve@example.com", LabError, "an address of the lab expected: ann@example.com"),
        (TO_SPAM.replace("Spam", "../x"), FilterError, "a folder name"),
    ],
    ids=["delete", "update", "stranger", "folder"],
)
def test_command_that_cannot_be_done_is_told(policy_lab: Lab, line: str, error: type[Exception], expected: str) -> None:
    """And nothing has changed."""
    before = dict(policy_lab.filters.rules)
    with pytest.raises(error, match=expected):
        policy_lab.filters.vcfilter(line)

    assert policy_lab.filters.rules == before


@pytest.mark.parametrize(("address", "name"), [("eve@example.com", "vfilter"), (BOB, "../x")])
def test_switch_that_does_not_exist_is_refused(policy_lab: Lab, address: str, name: str) -> None:
    """No file is made elsewhere."""
    with pytest.raises(LabError, match="one of vfilter, noprefilt, nopostfilt"):
        policy_lab.filters.switch(address, name)


def test_filters_without_rules_show_themselves() -> None:
    """An empty list is a list."""
    assert repr(LabFilters({}, {})) == "<LabFilters, no rules>"
