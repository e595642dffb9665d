"""dbt starts from a project that another test has parsed: its thousand nodes take 18 seconds.

dbt keeps what it parsed beside each warehouse and holds it against how that is reached, since a
model could ask. None of ours asks where its file is, so homes that differ in nothing else share
what was parsed. That files of the project have changed, dbt finds out as ever.

It works in this process and in those that it starts: `children/sitecustomize.py`.
"""

import os
import pprint
import shutil
import sys
import tempfile
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec
from pathlib import Path

FOLDER = "PARSED_PROJECTS"  # where what was parsed lies, for all processes of a run
PARSER = "dbt.parser.manifest"
HERE = Path(__file__).resolve().parent


def share_parsed_projects() -> None:
    """As soon as dbt's parser is imported, which takes seconds and which most processes don't."""
    if PARSER in sys.modules:
        _patch(sys.modules[PARSER])
    elif os.environ.get(FOLDER):
        sys.meta_path.insert(0, _OnImport())


def environment(folder: Path) -> dict[str, str]:
    """What makes processes share what was parsed, in a folder that exists."""
    path = [str(HERE / "children"), str(HERE), os.environ.get("PYTHONPATH", "")]
    return {FOLDER: str(folder), "PYTHONPATH": os.pathsep.join(filter(None, path))}


class _OnImport(MetaPathFinder, Loader):
    """Patches dbt's parser when it is imported."""

    def find_spec(self, name, path, target=None):
        if name != PARSER:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        self.exec_first, spec.loader = spec.loader.exec_module, self
        return spec

    def exec_module(self, module) -> None:
        self.exec_first(module)
        _patch(module)


def _patch(parser) -> None:
    loader = parser.ManifestLoader
    check, read = loader.build_manifest_state_check, loader.read_manifest_for_partial_parse
    write = loader.write_manifest_for_partial_parse

    def build_manifest_state_check(self):
        state = check(self)
        told = dict(self.root_project.credentials.connection_info())
        told.pop("path", None)
        state.profile_hash = parser.FileHash.from_contents(pprint.pformat(sorted(told.items())))
        return state

    def read_manifest_for_partial_parse(self):
        own, shared = _files(parser, self)
        if shared.exists() and not own.exists():
            own.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shared, own)
        return read(self)

    def write_manifest_for_partial_parse(self):
        write(self)
        own, shared = _files(parser, self)
        if not shared.exists():
            handle, partial = tempfile.mkstemp(dir=shared.parent)
            os.close(handle)
            shutil.copyfile(own, partial)
            os.replace(partial, shared)  # another process sees all of the file or none of it

    loader.build_manifest_state_check = build_manifest_state_check
    loader.read_manifest_for_partial_parse = read_manifest_for_partial_parse
    loader.write_manifest_for_partial_parse = write_manifest_for_partial_parse


def _files(parser, loader) -> tuple[Path, Path]:
    """What this home keeps, and what all homes alike share."""
    project, state = loader.root_project, loader.manifest.state_check
    hashes = (state.profile_hash, state.vars_hash, state.project_env_vars_hash)
    whole = "".join([project.project_root, *(each.checksum for each in hashes)])
    key = parser.FileHash.from_contents(whole).checksum[:20]
    own = Path(project.project_target_path) / parser.PARTIAL_PARSE_FILE_NAME
    return own, Path(os.environ[FOLDER]) / f"{key}.msgpack"
