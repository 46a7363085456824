"""Log files that are dropped: pieces come in, whole files go out, and the caps hold."""

from __future__ import annotations

import gzip

import pytest

from indimail_kit.errors import LabError
from indimail_kit.widgets import log_drop
from indimail_kit.widgets.log_drop import MAX_DROP_BYTES, MAX_FILES, Drop, drop_text, unpacked


def test_pieces_become_files_in_the_order_of_multilog():
    """Old files by their stamps, `current` last; an empty file is none."""
    drop = Drop.of(30, 4)
    drop.take("current", b"c1 ", is_last=False)
    drop.take("current", b"c2", is_last=True)
    drop.take("@40000000aa.s", b"a", is_last=True)
    drop.take("@400000009a.s", b"", is_last=False)
    drop.take("@400000009a.s", b"b", is_last=True)
    drop.take("@4000000011.u", b"", is_last=True)

    assert drop.files() == [("@400000009a.s", b"b"), ("@40000000aa.s", b"a"), ("current", b"c1 c2")]
    assert drop_text(drop.files()) == "@400000009a.s, @40000000aa.s, current · 3 files, 7 octets, in this process only"


def test_a_gzip_file_is_unpacked():
    """With every member of it; a plain file stays what it is."""
    packed = gzip.compress(b"one\n") + gzip.compress(b"two\n")

    assert (unpacked("a.gz", packed), unpacked("a", packed), unpacked("b.gz", b"")) == (b"one\ntwo\n", packed, b"")


@pytest.mark.parametrize(
    "spoil", [lambda octets: octets[:-9], lambda octets: b"x" + octets, lambda octets: octets + b"x"]
)
def test_a_damaged_gzip_file_says_so(spoil):
    """Cut, begun wrongly, or with rubbish behind: the name, and how far it could be read."""
    with pytest.raises(LabError, match=r"a\.gz: a whole gzip file"):
        unpacked("a.gz", spoil(gzip.compress(b"line\n" * 100)))


def test_another_compression_says_what_to_do():
    """Zst."""
    with pytest.raises(LabError, match="zstd -d"):
        unpacked("current.zst", b"x")


def test_a_bomb_stops_at_the_cap(monkeypatch):
    """What grows beyond the cap when it is decompressed is refused, before it is whole."""
    monkeypatch.setattr(log_drop, "MAX_DROP_BYTES", 10_000)
    with pytest.raises(LabError, match="at most 10,000 octets when decompressed"):
        unpacked("a.gz", gzip.compress(bytes(10**6)))


@pytest.mark.parametrize(
    ("total", "files"), [(MAX_DROP_BYTES + 1, 1), (1, MAX_FILES + 1), ("1", 1), (1, None), (1.5, 1)]
)
def test_too_much_is_refused_before_it_comes(total, files):
    """By what the page announces; a page that does not say it in numbers is no page of ours."""
    with pytest.raises(LabError):
        Drop.of(total, files)


def test_a_page_that_lies_is_refused(monkeypatch):
    """More octets or files than announced."""
    monkeypatch.setattr(log_drop, "MAX_DROP_BYTES", 10)
    drop = Drop.of(1, 1)
    with pytest.raises(LabError, match="at most 10 octets"):
        drop.take("a", b"x" * 11, is_last=False)
    drop = Drop.of(1, 1)
    for number in range(MAX_FILES):
        drop.take(str(number), b"", is_last=True)
    with pytest.raises(LabError, match="files at once"):
        drop.take("more", b"", is_last=True)
