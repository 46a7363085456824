"""The real clamdscan --stream lets a virus through behind StreamMaxLength; --fdpass and our client do not."""

from __future__ import annotations

import shutil

import pytest

from indimail_kit.errors import MissingPartError
from indimail_kit.lab import Lab
from indimail_kit.lab.fail_open import FailOpen, mail_with_late_virus, stream_fail_open
from indimail_kit.qhpsi import eicar


@pytest.fixture(scope="module")
def shown(clamd_lab: Lab) -> FailOpen:
    """What three ways said of the same mail."""
    return stream_fail_open(clamd_lab)


def test_virus_lies_behind_the_limit(shown: FailOpen) -> None:
    """The mail is the claim: harmless text as far as clamd's StreamMaxLength, and EICAR behind it."""
    assert shown.virus_offset > shown.limit_bytes
    assert mail_with_late_virus(before_bytes=0).count(eicar()) == 1


def test_stream_is_marked_clean_and_the_others_are_not(shown: FailOpen) -> None:
    """Exit code 0 from clamdscan --stream; 1 with --fdpass; NOT_SCANNED from our client."""
    assert [one.row[2:4] for one in shown.asked] == [
        ("exit code 0", "X-QHPSI: clean"),
        ("exit code 1", "X-QHPSI: Virus found"),
        ("NOT_SCANNED: longer than clamd's StreamMaxLength", "(none)"),
    ]
    assert [one.journey.smtp_reply[:4] for one in shown.asked] == ["250 ", "250 ", "451 "]
    assert [one.way for one in shown.let_through] == ["clamdscan --stream"]


def test_it_says_what_the_command_said(shown: FailOpen) -> None:
    """The table is honest about whose word it is."""
    first, head = repr(shown).splitlines()[:2]

    assert first.endswith("marked clean by clamdscan --stream.")
    assert "what the command said" in head
    assert "clamdscan --stream" in shown._repr_html_()


def test_lab_is_as_before(clamd_lab: Lab, shown: FailOpen) -> None:
    """QHPSI is the lab's own again."""
    assert len(shown.asked) == 3
    assert "--fdpass" in clamd_lab.variable("QHPSI")
    assert clamd_lab.send(attach="eicar").verdict == "INFECTED"


def test_missing_clamdscan_says_how_to_get_it(clamd_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the real program there is nothing to show."""
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(MissingPartError, match="apt-get install --no-install-recommends clamdscan"):
        stream_fail_open(clamd_lab)
