"""The table of journeys as a DataFrame."""

from __future__ import annotations

import pandas as pd
import pytest

from indimail_kit.widgets.journey_frame import JOURNEYS, journeys_frame


@pytest.mark.parametrize("count", [0, 1, 3], ids=["empty", "one", "many"])
def test_the_shape_is_always_the_same(count, make_journey):
    """Columns and dtypes do not depend on the number of mails."""
    frame = journeys_frame([make_journey() for _ in range(count)])

    assert (frame.shape, {name: str(kind) for name, kind in frame.dtypes.items()}) == ((count, len(JOURNEYS)), JOURNEYS)


def test_a_row_tells_one_mail(make_journey):
    """Each value is the journey's own; the time is UTC."""
    journey = make_journey("bob@example.com", unix_ns=1_268_622_054_994_200_500)

    row = journeys_frame([journey]).iloc[0]

    # The seed text's "new msg 660188".
    assert (row["time"], row["message_number"], row["verdict"], row["folder"], row["elapsed_ms"]) == (
        pd.Timestamp("2010-03-15 03:00:54.994200500", tz="UTC"), 660188, "INFECTED", "Quarantine", 84.0,
    )  # fmt: skip
