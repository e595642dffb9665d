"""The media's web APIs as they answer an advertiser: one module each, found by its HOSTS."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType


@cache
def modules() -> dict[str, ModuleType]:
    """Every API's module by its name."""
    names = sorted(found.name for found in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
