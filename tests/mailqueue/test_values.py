"""The policies of conf-sync."""

from __future__ import annotations

import pytest

from indimail_kit.mailqueue.values import INDIMAIL, QMAIL, SAFE, SyncPolicy


@pytest.mark.parametrize(
    ("environ", "policy"),
    [
        ({}, INDIMAIL),
        ({"USE_FSYNC": ""}, INDIMAIL),
        ({"USE_FSYNC": "1"}, QMAIL),
        ({"USE_FDATASYNC": "1"}, QMAIL),
        ({"USE_SYNCDIR": "1"}, SyncPolicy(files=False, directories=True)),
        ({"USE_FSYNC": "1", "USE_SYNCDIR": "1"}, SAFE),
    ],
    ids=str,
)
def test_environment_says_what_indimail_syncs(environ: dict[str, str], policy: SyncPolicy) -> None:
    """Built with -DUSE_FSYNC nothing is synced unless a variable has a value."""
    assert SyncPolicy.from_environ(environ) == policy
