"""Make the pictures of the documentation from the real notebook in Chromium: ``make screenshots``.

The picture is looked at before it is kept; a test makes the same picture and reads what is in it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from jupyterlab_in_chromium import jupyter_in_chromium  # noqa: E402 - tools/ is no package

if TYPE_CHECKING:
    from jupyterlab_in_chromium import OpenNotebook

NOTEBOOK: Final = "notebooks/00_start_here.ipynb"
WINDOW: Final = {"width": 1200, "height": 1010, "scale": 1.5}
"""Size of the window (unit: CSS pixels), and device pixels of one CSS pixel."""


def take_journey(notebook: OpenNotebook, path: Path) -> str:
    """Send an infected mail in the JourneyView, open its scan, save the picture; return the sentence shown."""
    page = notebook.page
    view = page.locator(".ik-journey:not(.ik-static)")
    view.get_by_label("attach the test virus").check()
    view.get_by_role("button", name="Send", exact=True).click()
    status = view.locator(".ik-status.ik-bad")
    status.filter(has_text="INFECTED").wait_for()
    view.locator("button.ik-station").nth(3).click()
    view.locator(".ik-panel").get_by_text("the scanner's own answer").wait_for()
    page.locator(".jp-MarkdownCell").filter(has_text="1. Write a mail").evaluate("cell => cell.scrollIntoView()")
    page.mouse.move(2, 2)
    page.wait_for_timeout(300)  # the last colour of the rail fades in for 150 ms
    page.screenshot(path=path)
    return status.inner_text()


def main() -> int:
    """Make every picture; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with (
        jupyter_in_chromium(ROOT) as jupyter,
        jupyter.open(NOTEBOOK, **WINDOW) as notebook,
    ):
        notebook.close_left_area()
        notebook.run_all()
        print(take_journey(notebook, out / "journey.png"))  # noqa: T201 - a tool for the terminal
    return 0


if __name__ == "__main__":
    sys.exit(main())
