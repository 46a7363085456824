"""The lab's vfilter rules, changed as an administrator does: with vcfilter's command line.

Source: IndiMail vcfilter.c, vfilter.c; vcfilter(1).

Note for maintainers: a user's own rules, and postfilt, are asked only if the file ``vfilter`` is in the Maildir;
``noprefilt`` and ``nopostfilt`` switch the domain's rules off for this user.

Rule 1: rules are replaced whole: a delivery under way sees the old ones or the new ones.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal, get_args

from indimail_kit.delivery.vfilter import (
    COMPARISION_NAMES,
    POSTFILT,
    PREFILT,
    Comparision,
    FilterRule,
    VcfilterCommand,
    parse_command,
)
from indimail_kit.errors import LabError
from indimail_kit.wiring import provider

Switch = Literal["vfilter", "noprefilt", "nopostfilt"]
"""A file in a Maildir."""

COLUMNS: Final = ("no", "name", "header", "comparision", "keyword", "folder", "bounce action")
"""Columns of the table that ``vcfilter -s`` shows."""


class FilterList(tuple[FilterRule, ...]):
    """The rules of one address; shows itself as a table."""

    __slots__ = ()

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Return the cells of the table."""
        return tuple(
            (
                str(rule.filter_no), rule.filter_name, rule.header or "(none)", COMPARISION_NAMES[rule.comparision],
                rule.keyword, rule.destination, rule.bounce_action,
            )
            for rule in self
        )  # fmt: skip

    def _repr_html_(self) -> str:
        return str(provider("grid_html")(f"{len(self)} vfilter rules", COLUMNS, self.rows))


class LabFilters:
    """Reads and changes the rules of the lab's users.

    Attributes:
        rules: Address, prefilt@domain or postfilt@domain -> rules; the running qmail-send looks here.
    """

    def __init__(self, rules: MutableMapping[str, Sequence[FilterRule]], users: Mapping[str, Path]) -> None:
        self.rules = rules
        self._users = users

    def __repr__(self) -> str:
        """Return how many rules each address has."""
        counts = ", ".join(f"{emailid}: {len(rules)}" for emailid, rules in self.rules.items())
        return f"<LabFilters, {counts or 'no rules'}>"

    def vcfilter(self, command: str | VcfilterCommand) -> FilterList:
        """Do what a vcfilter command line says; nothing is run.

        Args:
            command: For example ``vcfilter -i -t spam -h X-Spam-Status -c 3 -k yes -f Junk -b 0 bob@example.com``.

        Returns:
            The rules of the address, as they are now.

        Raises:
            FilterError: vcfilter would refuse the line.
            LabError: The address is none of the lab's, or has no rule of this number.
        """
        wanted = parse_command(command) if isinstance(command, str) else command
        emailid = wanted.emailid.lower()
        self._require_address(emailid)
        before = tuple(self.rules.get(emailid, ()))
        after = _CHANGES[wanted.action](before, wanted)
        if after != before:
            self.rules[emailid] = after
        return FilterList(after)

    def switch(self, address: str, name: Switch, *, is_on: bool = True) -> None:
        """Make or remove a file in a user's Maildir that switches rules on or off.

        Raises:
            LabError: The user or the switch does not exist.
        """
        maildir = self._users.get(address.lower())
        if maildir is None or name not in get_args(Switch):
            raise LabError(f"a user of the lab and one of {', '.join(get_args(Switch))}")
        if is_on:
            (maildir / name).touch()
        else:
            (maildir / name).unlink(missing_ok=True)

    def _require_address(self, emailid: str) -> None:
        domains = {address.rpartition("@")[2] for address in self._users}
        known = {*self._users, *(place + domain for domain in domains for place in (PREFILT, POSTFILT))}
        if emailid not in known:
            raise LabError(f"an address of the lab expected: {', '.join(sorted(known))}")


def _show(before: tuple[FilterRule, ...], _wanted: VcfilterCommand) -> tuple[FilterRule, ...]:
    return before


def _add(before: tuple[FilterRule, ...], wanted: VcfilterCommand) -> tuple[FilterRule, ...]:
    if wanted.rule is None:
        raise LabError("a rule to add")
    is_first = wanted.rule.comparision is Comparision.NOT_IN_TO_CC_BCC
    number = 0 if is_first else max((rule.filter_no for rule in before), default=0) + 1
    kept = tuple(rule for rule in before if rule.filter_no != number)
    return tuple(sorted((*kept, replace(wanted.rule, filter_no=number)), key=lambda rule: rule.filter_no))


def _require_number(before: tuple[FilterRule, ...], number: int) -> None:
    if number not in {rule.filter_no for rule in before}:
        raise LabError(f"a rule of this address with the number {number}")


def _delete(before: tuple[FilterRule, ...], wanted: VcfilterCommand) -> tuple[FilterRule, ...]:
    _require_number(before, wanted.filter_no)
    return tuple(rule for rule in before if rule.filter_no != wanted.filter_no)


def _update(before: tuple[FilterRule, ...], wanted: VcfilterCommand) -> tuple[FilterRule, ...]:
    _require_number(before, wanted.filter_no)
    new = wanted.rule
    if new is None:
        raise LabError("new values for the rule")
    return tuple(
        replace(new, filter_no=rule.filter_no, filter_name=new.filter_name or rule.filter_name)
        if rule.filter_no == wanted.filter_no
        else rule
        for rule in before
    )


_CHANGES: Final = {"show": _show, "add": _add, "delete": _delete, "update": _update}
