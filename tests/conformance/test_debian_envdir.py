"""A variables directory sets and unsets what Debian's envdir (daemontools) does with it, for what both know.

IndiMail's envdir knows more (.envdir, .envfile): tests/data/indimail/tools/envdir.txt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indimail_kit.control.envdir import apply, read_envdir, write_variable
from indimail_kit.errors import EnvdirError

BEFORE = {"OLD": "from before", "A": "from before"}

pytestmark = pytest.mark.skipif(
    shutil.which("envdir") is None and not os.environ.get("CI"), reason="daemontools is not installed"
)


def run_debian(directory: Path) -> subprocess.CompletedProcess[bytes]:
    """Run Debian's envdir on a directory, with a program that prints its environment."""
    words = [shutil.which("envdir") or "envdir", str(directory), shutil.which("env") or "env", "-0"]
    return subprocess.run(words, env=BEFORE, capture_output=True, timeout=20, check=False)


def environment_of(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    """Return the environment that was printed."""
    pairs = (os.fsdecode(one).partition("=")[::2] for one in done.stdout.split(b"\0")[:-1])
    return dict(pairs)


names = st.sampled_from(["A", "QHPSI", "OLD", "K=V", "b c", "\u00e9", ".hidden"])
contents = st.binary(max_size=24) | st.text(st.sampled_from("x \t\n\0\r")).map(str.encode)


@given(st.dictionaries(names, contents, max_size=5))
@example({"QHPSI": b"/usr/bin/clamdscan %s --quiet --no-summary \t\nsecond\n"})
@example({"A": b"", "OLD": b"\n", "QHPSI": b"a\0b\n", ".hidden": b"x\n"})
@settings(max_examples=80, deadline=None)
def test_any_files_set_and_unset_what_debians_envdir_does(files: dict[str, bytes]) -> None:
    """Whatever is in the files: the program that is started has the same environment."""
    with tempfile.TemporaryDirectory() as made:
        for name, octets in files.items():
            (Path(made) / name).write_bytes(octets)
        done = run_debian(Path(made))
        assert (done.returncode, environment_of(done)) == (0, apply(BEFORE, read_envdir(made)))


def test_directory_inside_is_fatal_for_both(tmp_path: Path) -> None:
    """A directory among the variables ends envdir with 111, and reading it here is an error."""
    (tmp_path / "sub").mkdir()
    assert run_debian(tmp_path).returncode == 111
    with pytest.raises(EnvdirError, match="sub"):
        read_envdir(tmp_path)


@pytest.mark.parametrize("value", ["/usr/bin/clamdscan %s --quiet", "", "two\nlines", "  lead", "\udcff"])
def test_what_we_write_debians_envdir_reads(tmp_path: Path, value: str) -> None:
    """A variable that was written here has that value in the program that Debian's envdir starts."""
    write_variable(tmp_path, "QHPSI", value)
    assert environment_of(run_debian(tmp_path))["QHPSI"] == value
