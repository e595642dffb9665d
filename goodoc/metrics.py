"""MetricFlow's `mf` over a home's warehouse: `python -m goodoc.metrics query --metrics bookings`.

It reads what the last `goodoc build` left in the home (the profile and the semantic manifest) and
asks nobody else: `mf` would look for its own updates on the network at each call.
"""

import os
import shutil
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from goodoc.settings import PROJECT, Settings, SettingsError, from_environment


class _NoUpdates:
    """In place of the package `update_checker`, which isn't installed."""

    def check(self, *_: object) -> None:
        return None


def query(settings: Settings, arguments: Sequence[str]) -> int:
    """Runs `mf` with these arguments, in this process, and returns its exit code.

    Changes the environment, the working directory and dbt's global state: call it once, last.
    Raises FileNotFoundError where the home was never built.
    """
    manifest = settings.dbt / "semantic_manifest.json"
    if not manifest.is_file():
        raise FileNotFoundError(f"{manifest}: run `goodoc build` first")
    # `mf` takes the manifest only from `target/` of a folder with a dbt_project.yml
    folder = settings.dbt / "metrics"
    (folder / "target").mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(PROJECT / "dbt_project.yml", folder / "dbt_project.yml")
    shutil.copyfile(manifest, folder / "target" / manifest.name)
    os.environ |= {
        "GOODOC_HOME": str(settings.home),
        "GOODOC_TARGET": settings.target,
        "DBT_PROFILES_DIR": str(settings.dbt),
        "DBT_PROJECT_DIR": str(folder),
        "DBT_LOG_PATH": str(settings.dbt / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **(settings.postgres.environment() if settings.postgres else {}),
    }
    arguments = _from_here(arguments)
    os.chdir(folder)
    updates = types.ModuleType("update_checker")
    updates.UpdateChecker = _NoUpdates
    sys.modules["update_checker"] = updates
    from dbt_metricflow.cli.main import cli

    return cli.main(args=arguments, prog_name="mf", standalone_mode=False) or 0


def _from_here(arguments: Sequence[str]) -> list[str]:
    """The same file to write, also from another folder."""
    found = list(arguments)
    for place, each in enumerate(found):
        option, equals, file = each.partition("=")
        if option == "--csv" and equals:
            found[place] = f"{option}={Path(file).absolute()}"
        elif place and found[place - 1] == "--csv":
            found[place] = str(Path(each).absolute())
    return found


if __name__ == "__main__":
    try:
        sys.exit(query(from_environment(), sys.argv[1:]))
    except (FileNotFoundError, SettingsError) as error:
        sys.exit(f"goodoc: {error}")
