"""Verified RL rollouts in, published reasoning-trace datasets out.

    synthetic.capture(RUN, into=STORE)        logs to facts
    synthetic.scan(STORE)                     facts as a polars LazyFrame
    synthetic.dedupe(STORE)                   what the rules against copies would drop, pair by pair
    synthetic.near_duplicates(FRAME)          the same for the texts of any polars frame
    synthetic.release(STORE, to=DIR)          facts to a dataset release
    synthetic.compat(DIR, "synthetic-2", to=OTHER)  the release in the columns of a published table
    synthetic.taskset(DIR, to=OTHER)          its problems as a package that verifiers loads and scores with
    synthetic.check(DIR)                      does every byte, count and claim of it hold?
    synthetic.push(DIR, "org/name")           the release to the Hub

Everything is imported when it is first used: `import synthetic` alone costs nothing.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Memory that polars has freed goes back to the system as soon as its allocator lets go of it, not a second later.
# Where polars was imported before, this changes nothing.
os.environ.setdefault("_RJEM_MALLOC_CONF", "muzzy_decay_ms:0")

if TYPE_CHECKING:
    from synthetic.alike.near import near_duplicates as near_duplicates
    from synthetic.capture import capture as capture
    from synthetic.captured import Captured as Captured
    from synthetic.check import check as check
    from synthetic.compat import compat as compat
    from synthetic.dedupe import dedupe as dedupe
    from synthetic.errors import SyntheticError as SyntheticError
    from synthetic.hub import push as push
    from synthetic.look import drops as drops
    from synthetic.release import release as release
    from synthetic.stage import measure as measure
    from synthetic.stage import rule as rule
    from synthetic.store import scan as scan
    from synthetic.store import tokens as tokens
    from synthetic.taskset import taskset as taskset

_HOMES = {
    "Captured": "captured",
    "capture": "capture",
    "check": "check",
    "compat": "compat",
    "dedupe": "dedupe",
    "drops": "look",
    "push": "hub",
    "SyntheticError": "errors",
    "release": "release",
    "measure": "stage",
    "near_duplicates": "alike.near",
    "rule": "stage",
    "scan": "store",
    "taskset": "taskset",
    "tokens": "store",
}

__all__ = list(_HOMES)


class _Package(ModuleType):
    """The package, whose verbs keep their names although modules of the same names are imported into it."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_HOMES})


def _name(name: str, home: str) -> None:
    def get(_: ModuleType) -> Any:  # whatever the home defines under that name
        return getattr(import_module(f"synthetic.{home}"), name)

    def ignore(_: ModuleType, value: object) -> None:
        """Importing `synthetic.capture` sets the attribute `capture` of the package: it stays the function."""

    setattr(_Package, name, property(get, ignore))


for _each, _home in _HOMES.items():
    _name(_each, _home)
sys.modules[__name__].__class__ = _Package
