"""binder/overrides.json against JupyterLab's own schemas: a setting that does not exist protects nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jupyterlab.commands import get_app_dir

ROOT = Path(__file__).resolve().parents[2]
OVERRIDES: dict[str, dict[str, Any]] = json.loads((ROOT / "binder" / "overrides.json").read_text(encoding="utf-8"))


def schema_of(plugin: str) -> dict[str, Any]:
    """Return the settings schema of a plugin, "@jupyterlab/apputils-extension:sanitizer"."""
    package, _, name = plugin.partition(":")
    schema: dict[str, Any] = json.loads(
        (Path(get_app_dir()) / "schemas" / package / f"{name}.json").read_text(encoding="utf-8")
    )
    return schema


@pytest.mark.parametrize("plugin", OVERRIDES)
def test_jupyterlab_knows_each_setting(plugin: str) -> None:
    """Plugin and key exist in this JupyterLab, and the value is one that it allows."""
    schema = schema_of(plugin)

    assert OVERRIDES[plugin].keys() <= schema["properties"].keys()
    jsonschema.validate(OVERRIDES[plugin], schema)


@pytest.mark.parametrize(
    ("plugin", "key", "value"),
    [
        pytest.param(
            "@jupyterlab/apputils-extension:sanitizer", "allowCommandLinker", False, id="links run no commands"
        ),
        pytest.param("@jupyterlab/apputils-extension:notification", "fetchNews", "false", id="no news from outside"),
        pytest.param(
            "@jupyterlab/apputils-extension:notification", "checkForUpdates", False, id="no question for updates"
        ),
    ],
)
def test_setting_differs_from_what_jupyterlab_does_by_itself(plugin: str, key: str, value: object) -> None:
    """Each override is there, and is needed: the default is the other way."""
    assert OVERRIDES[plugin][key] == value
    assert schema_of(plugin)["properties"][key]["default"] != value


def test_command_linker_is_off_in_this_environment_too() -> None:
    """`make lab` puts the same settings into .venv, so that mail in a notebook cannot run JupyterLab's commands."""
    installed = Path(get_app_dir()) / "settings" / "overrides.json"

    assert json.loads(installed.read_text(encoding="utf-8")) == OVERRIDES
