"""The whole decision table as a DataFrame: the values beside PolicyExplorer."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pandas as pd

from indimail_kit.widgets.policy import FORWARD_TO, KEEP_FOR, Policy, cells, policy_table

POLICIES: Final = {
    "row": "str",  # how the scan ended, see policy.ROWS
    "reject_virus": "int64",
    "virus_forward": "str",  # "" for none
    "quarantine": "str",  # "" for none
    "action": "str",  # name of a ScanAction
    "ending": "str",  # what becomes of the mail, QUARANTINE counted
    "exit_code": "int64",  # of qmail-queue
    "smtp_reply": "str",
    "header": "str",  # "" for none
    "recipients": "str",  # separated by commas, "" for nobody
}
"""Columns and dtypes of the decision table; one row a combination."""


def policies_frame(policy: Policy = Policy()) -> pd.DataFrame:  # noqa: B008 - it is frozen
    """Return every scan result under every policy, shape (144, 10), index 0..143; POLICIES says the dtypes.

    Args:
        policy: QHPSI, QHPSIRC and QHPSIRN of all rows.
    """
    variants = [
        replace(policy, virus_forward=forward, quarantine=keep)
        for forward in ("", FORWARD_TO)
        for keep in ("", KEEP_FOR)
    ]
    rows = [
        (
            cell.row, cell.reject_virus, one.virus_forward, one.quarantine, cell.action.name, cell.ending,
            cell.exit_code, cell.reply, cell.header, ",".join(cell.recipients),
        )
        for one in variants
        for cell in cells(policy_table(one))
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(POLICIES)).astype(POLICIES)
