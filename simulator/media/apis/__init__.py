"""The media's web APIs as they answer an advertiser: one module each, found by its HOSTS."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def modules() -> dict[str, ModuleType]:
    """Every API's module by its name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    found = {}
    for name in names:
        try:
            found[name] = importlib.import_module(f"{__name__}.{name}")
            found[name].HOSTS, found[name].VARIABLES
        except Exception as error:  # TEMPORARY while modules are being written
            import sys

            found.pop(name, None)
            print(f"apis/{name}.py can't be imported: {error!r}", file=sys.stderr)
    return found
