"""The policies of conf-sync."""

from __future__ import annotations

import pytest

from indimail_kit.mailqueue.values import INDIMAIL, QMAIL, SAFE, SYNC_NAMES, SyncPolicy


@pytest.mark.parametrize(
    ("environ", "policy"),
    [
        ({}, INDIMAIL),
        ({"USE_FSYNC": ""}, INDIMAIL),
        ({"USE_FSYNC": "1"}, QMAIL),
        ({"USE_FDATASYNC": "1"}, SyncPolicy(files=True, directories=False, is_data_only=True)),
        ({"USE_SYNCDIR": "1"}, SyncPolicy(files=False, directories=True)),
        ({"USE_FSYNC": "1", "USE_SYNCDIR": "1"}, SAFE),
    ],
    ids=str,
)
def test_environment_says_what_indimail_syncs(environ: dict[str, str], policy: SyncPolicy) -> None:
    """Built with -DUSE_FSYNC nothing is synced unless a variable has a value."""
    assert SyncPolicy.from_environ(environ) == policy


def test_names_stand_for_the_three_policies() -> None:
    """Ours, plain qmail's, and IndiMail's, which alone asks the variables what to sync."""
    environ = {"USE_SYNCDIR": "1"}
    named = [SyncPolicy.named(name, environ) for name in SYNC_NAMES]
    assert named == [SAFE, QMAIL, SyncPolicy(files=False, directories=True)]
