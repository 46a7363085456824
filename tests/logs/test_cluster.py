"""A log on several worker processes of a real Dask cluster: the same rows, also when a worker dies."""

from __future__ import annotations

import gzip
import logging
import os
import pickle
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indimail_kit.errors import FormatError
from indimail_kit.lab.demo_logs import make_logs
from indimail_kit.logs import cluster as clusters
from indimail_kit.logs.cluster import ClusterLog, plan_parts, read_on_cluster
from indimail_kit.logs.engine import Numbering, read_blocks, read_events
from indimail_kit.logs.join import Joiner
from indimail_kit.logs.log import read

if TYPE_CHECKING:
    import pandas as pd

distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
pytest.importorskip("dask.dataframe", reason="needs the extra cluster", exc_type=ImportError)

DATA = Path(__file__).parents[1] / "data" / "indimail" / "logs"
THREE_QUEUES = DATA / "qscheduler-static-3queues.tai64n.log.gz"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Return a client of three worker processes on loopback; a process that dies comes again."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # a killed worker is what we want
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as one,
    ):
        yield one


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return a multilog directory of three files, cut anywhere between lines, with a half line at the end."""
    octets = gzip.decompress(THREE_QUEUES.read_bytes())[:400_000]
    first, second = (octets.index(b"\n", len(octets) * part // 3) + 1 for part in (1, 2))
    (tmp_path / "@400000006b02f70000000000.s").write_bytes(octets[:first])
    (tmp_path / "@400000006b02f80000000000.s").write_bytes(octets[first:second])
    (tmp_path / "current").write_bytes(octets[second:])
    return tmp_path


def in_order(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the rows in the order in which they began."""
    began = frame[columns[0]].fillna(frame[columns[-1]])
    return frame.assign(began=began).sort_values("began").drop(columns="began").reset_index(drop=True)


def assert_same(one: ClusterLog, *sources: Path | bytes) -> None:
    """Compare all tables and counts with those of one machine."""
    import pandas as pd

    here = read(*sources)
    deliveries, messages, events = one.client.gather(one.client.compute([one.deliveries, one.messages, one.events]))
    pd.testing.assert_frame_equal(in_order(deliveries, "start_event", "end_event"), here.deliveries)
    pd.testing.assert_frame_equal(in_order(messages, "first_event"), here.messages)
    pd.testing.assert_frame_equal(events.reset_index(drop=True), here.events)
    assert (len(one), one.kinds, one.unknown_count) == (len(here), here.kinds, len(here.unknown))


def test_many_parts_on_three_workers_give_the_rows_of_one_machine(client: Any, log: Path) -> None:
    """Open messages and deliveries, runs, lifetimes and positions go on from part to part and from file to file."""
    one = read_on_cluster(log, scheduler=client, part_bytes=50_000)
    assert len(one.parts) > 8
    assert_same(one, log)


def test_a_worker_that_is_killed_in_the_middle_changes_no_number(
    client: Any, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds what goes on from part to part dies without a word; it is done again elsewhere."""
    monkeypatch.setattr(clusters, "KEPT_EVERY", 4)
    one = read_on_cluster(log, scheduler=client, part_bytes=25_000)
    results, states = one._joined
    distributed.wait(states[1])
    (holder, *_) = client.who_has([states[1]])[states[1].key]
    killed = client.run(os.getpid)[holder]
    os.kill(killed, signal.SIGKILL)
    assert len(results) > 12
    assert_same(one, log)
    assert killed not in client.run(os.getpid).values()


def test_an_answer_is_worked_out_on_the_cluster(client: Any, log: Path) -> None:
    """Only the answer comes here."""
    one = read(log, scheduler=client)
    outcomes = client.compute(one.deliveries.groupby("outcome").size()).result()
    assert outcomes.to_dict() == read(log).deliveries.groupby("outcome").size().to_dict()


def test_other_programs_logs_and_compressed_ones_are_read_too(client: Any, tmp_path: Path) -> None:
    """Lines that only the grammar reads, octets, a .gz file, and an empty one."""
    day = make_logs(60)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "send.gz").write_bytes(gzip.compress(day.send))
    sources = (tmp_path / "send.gz", tmp_path / "empty", day.smtpd, day.clamd, b"half a li")
    one = read(*map(str, sources[:2]), *sources[2:], scheduler=client)  # type: ignore[arg-type]  # octets
    assert_same(one, *sources)


def test_an_empty_log_has_empty_tables(client: Any, tmp_path: Path) -> None:
    """With their columns."""
    (tmp_path / "current").write_bytes(b"")
    one = read(tmp_path, scheduler=client)
    assert_same(one, tmp_path)
    assert repr(one) == f"<ClusterLog of {tmp_path}: 0 parts>"
    assert one._repr_html_().startswith("<pre")


def test_a_file_that_became_shorter_is_said(client: Any, log: Path) -> None:
    """Its parts are not what they were; the worker's sentence arrives here."""
    one = read_on_cluster(log, scheduler=client)
    (log / "current").write_bytes(b"")
    with pytest.raises(FormatError, match="expected a file of at least"):
        len(one)


def test_a_scheduler_that_is_none_is_said(log: Path) -> None:
    """Not guessed from a name."""
    with pytest.raises(TypeError, match=r"dask\.distributed\.Client expected, not str"):
        read(log, scheduler="127.0.0.1:8786")


def test_a_directory_without_a_log_is_said_at_once(client: Any, tmp_path: Path) -> None:
    """Before anything is sent to the cluster."""
    with pytest.raises(FormatError, match="multilog directory"):
        read(tmp_path, scheduler=client)


# --- parts, without a cluster -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 90), max_size=30), st.integers(1, 120), st.booleans())
@settings(max_examples=150)
def test_each_line_is_in_one_part_at_its_place(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], part_bytes: int, is_whole: bool
) -> None:
    """However short the parts and long the lines: a line belongs to the part in which it begins."""
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(b"\n".join(b"x" * size for size in sizes) + b"\n" * is_whole)
    numbering = Numbering(utc_offset_s=0)
    events = [
        event
        for part in plan_parts(path, part_bytes=part_bytes)
        for packed in clusters.read_part(part, compiled=False, utc_offset_s=0)
        for event in clusters.place(packed, numbering, compiled=False).events()
    ]
    assert events == list(read_events(path))


def test_over_long_lines_are_cut_as_on_one_machine(tmp_path: Path) -> None:
    """Over several parts and blocks; memory does not grow with the line."""
    path = tmp_path / "log"
    path.write_bytes(b"new msg 1\n" + b"x" * 5_000_000 + b"\nend msg 1\n" + b"y" * 100_000)
    numbering = Numbering(utc_offset_s=0)
    events = [
        event
        for part in plan_parts(path, part_bytes=1_000_000)
        for packed in clusters.read_part(part, compiled=False, utc_offset_s=0)
        for event in clusters.place(packed, numbering, compiled=False).events()
    ]
    assert events == list(read_events(path))


def test_what_grows_behind_the_planned_size_is_not_read(tmp_path: Path) -> None:
    """So that a part that is read again gives the same."""
    path = tmp_path / "log"
    path.write_bytes(b"new msg 1\nnew ms")
    (part,) = plan_parts(path)
    with path.open("ab") as file:
        file.write(b"g 2\nnew msg 3\n")
    blocks = clusters.read_part(part, compiled=False, utc_offset_s=0)
    assert b"".join(packed.octets for packed in blocks) == b"new msg 1\nnew ms"


def test_what_goes_on_is_small_and_never_changed(log: Path) -> None:
    """A step can be done again with the same arguments: the second time it gives the same."""
    state = clusters.first_state(utc_offset_s=0, is_joined=True)
    for part in plan_parts(log, part_bytes=60_000):
        blocks = clusters.read_part(part, compiled=False, utc_offset_s=0)
        before = pickle.dumps(blocks)
        first, again = (clusters.join_part(state, blocks, compiled=False) for _ in range(2))
        assert pickle.dumps(first) == pickle.dumps(again)
        assert pickle.dumps(blocks) == before
        state = first[0]


@pytest.mark.parametrize("compiled", [False, True], ids=["Python", "numba"])
def test_a_joiner_goes_on_in_another_process(log: Path, compiled: bool) -> None:
    """Pickled between any two blocks it answers as one that stayed."""
    if compiled:
        pytest.importorskip("numba", reason="needs the extra logs")
    stayed, moved = Joiner(), Joiner()
    for block in read_blocks(log, block_bytes=40_000, compiled=compiled):
        one, other = (clusters.finished_frames((b"", [joiner.feed(block)], Counter())) for joiner in (stayed, moved))
        assert one[0].equals(other[0])
        assert one[1].equals(other[1])
        moved = pickle.loads(pickle.dumps(moved))  # noqa: S301 - ours
    rest, rest_moved = (clusters.finished_frames((b"", [joiner.finish()], Counter())) for joiner in (stayed, moved))
    assert rest[0].equals(rest_moved[0])
    assert rest[1].equals(rest_moved[1])
