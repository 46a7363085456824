"""One function for each question of an administrator; the answer is a table.

The questions of queues are here and in `questions_stuck`; those of logs are in `questions_logs_mail`, `_reasons`,
`_time` and `_smtp`; all are named here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from indimail_kit.errors import SchemaError
from indimail_kit.tables.questions_logs_mail import by_host as by_host
from indimail_kit.tables.questions_logs_mail import by_recipient as by_recipient
from indimail_kit.tables.questions_logs_mail import by_sender as by_sender
from indimail_kit.tables.questions_logs_mail import by_uid as by_uid
from indimail_kit.tables.questions_logs_mail import delay_percentiles as delay_percentiles
from indimail_kit.tables.questions_logs_mail import overall as overall
from indimail_kit.tables.questions_logs_reasons import deferral_reasons as deferral_reasons
from indimail_kit.tables.questions_logs_reasons import failure_reasons as failure_reasons
from indimail_kit.tables.questions_logs_reasons import reasons as reasons
from indimail_kit.tables.questions_logs_reasons import success_reasons as success_reasons
from indimail_kit.tables.questions_logs_smtp import auth_failures as auth_failures
from indimail_kit.tables.questions_logs_smtp import signatures as signatures
from indimail_kit.tables.questions_logs_smtp import virus_rate as virus_rate
from indimail_kit.tables.questions_logs_time import concurrency as concurrency
from indimail_kit.tables.questions_logs_time import gaps as gaps
from indimail_kit.tables.questions_logs_time import message_rate as message_rate
from indimail_kit.tables.questions_logs_time import queue_at as queue_at
from indimail_kit.tables.questions_stuck import stuck as stuck
from indimail_kit.tables.questions_stuck import stuck_reasons as stuck_reasons
from indimail_kit.tables.queue_frames import domain_of, messages, recipients
from indimail_kit.tables.queue_schemas import BUCKET_NAMES, BUCKETS_MIN, QSHAPE

if TYPE_CHECKING:
    import pandas as pd

    from indimail_kit.mailqueue.picture import Snapshot

ShapeBy = Literal["recipient", "sender"]
"""Whose domain."""

SHAPES: Final[tuple[ShapeBy, ShapeBy]] = ("recipient", "sender")
"""What `qshape` may be asked for."""

_MINUTE_S: Final = 60


def qshape(picture: Snapshot, by: ShapeBy = "recipient") -> pd.DataFrame:
    """Tell which domains the queue waits for (or has mail from), and since when.

    Many young recipients of one domain are a burst; many old ones are a host that does not answer.

    Args:
        picture: A snapshot.
        by: "recipient" counts the recipients that are not done; "sender" counts the messages.

    Returns:
        The table QSHAPE. Messages whose age nobody can tell (neither mess nor info) are not counted.

    Raises:
        SchemaError: `by` is something else.

    Source:
        Postfix qshape(1): domain by age, in buckets that double.
    """
    import numpy as np
    import pandas as pd

    if by not in SHAPES:
        raise SchemaError(f"a shape by {by}; expected recipient or sender")
    mails = messages(picture)
    if by == "sender":
        ages = mails["age_s"]
        domains = pd.Series([domain_of(one) if isinstance(one, str) else "" for one in mails["sender"]], dtype="str")
        is_counted = ages.notna()
    else:
        rows = recipients(picture)  # in the order of the messages
        ages = mails["age_s"].repeat(mails["recipients"].tolist()).reset_index(drop=True)
        domains = rows["domain"]
        is_counted = ages.notna() & ~rows["done"]
    codes, names = pd.factorize(domains[is_counted])
    limits_s = [minutes * _MINUTE_S for minutes in BUCKETS_MIN]
    buckets = np.digitize(ages[is_counted].to_numpy("int64"), limits_s)
    width = len(BUCKET_NAMES)
    counts = np.bincount(codes * width + buckets, minlength=len(names) * width).reshape(-1, width).astype("int64")
    shape = pd.DataFrame(counts, columns=list(BUCKET_NAMES))
    shape.insert(0, "domain", pd.Series(list(names), dtype="str"))
    shape.insert(1, "total", counts.sum(axis=1))
    shape = shape.sort_values(["total", "domain"], ascending=[False, True], ignore_index=True)
    QSHAPE.check(shape)
    return shape
