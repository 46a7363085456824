"""What is in a Binder image: what the lessons need, and none of the tools that only tests and developers need."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "binder.md").read_text(encoding="utf-8")


def test_no_test_tool_is_in_it() -> None:
    """No package of the extras test, cluster, logs and pam, unless a lesson needs it, too."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = {canonicalize_name(Requirement(line).name) for extra in ("lab", "widgets") for line in extras[extra]}
    kept_out = {
        canonicalize_name(Requirement(line).name)
        for extra in ("test", "cluster", "logs", "pam")
        for line in extras[extra]
    } - wanted
    listed = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    lines = [line for one in listed for line in (one["pip"] if isinstance(one, dict) else [one])]

    assert kept_out & {canonicalize_name(re.split(r"[<>=]", line)[0].strip()) for line in lines} == set()


def test_the_systems_packages_are_those_that_the_page_explains() -> None:
    """Each has its reason in docs/binder.md."""
    packages = (ROOT / "binder" / "apt.txt").read_text(encoding="utf-8").split()

    assert re.findall(r"^\| `([\w-]+)` \|", PAGE, re.MULTILINE) == packages


def test_the_link_opens_the_first_notebook() -> None:
    """The path in the link is a notebook of the repository, and OWNER/REPO stands for whoever has a copy."""
    links = re.findall(r"https://mybinder\.org/v2/gh/OWNER/REPO/HEAD\?urlpath=lab/tree/(\S+\.ipynb)", PAGE)

    assert (set(links), (ROOT / links[0]).is_file()) == ({"notebooks/00_start_here.ipynb"}, True)
