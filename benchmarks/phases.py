"""Where the time of a release goes: what it told of itself while it was made, with what that took.

    python -m benchmarks.phases FOLDER [--recipe NAME|FILE]

releases FOLDER/store to FOLDER/release, cold, and prints a table. Time between two words of progress belongs to the
later one, or to the earlier where that was said before its work began. Two buckets are written at once, so a phase's
CPU-seconds are those of the process meanwhile. The peak is the largest resident memory during a phase
(Linux; elsewhere so far).
"""

import argparse
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import cpu_seconds, forget_peak, peak_bytes

# `minhash, shard 3`, `unique, part 2 of 8 (compiled …)`: what is done, without which piece of it.
PIECE = re.compile(r", (?:shard|part) .*")


@dataclass
class Phase:
    """What one kind of work took."""

    times: int = 0
    wall_seconds: float = 0
    cpu_seconds: float = 0
    peak_mb: float = 0


@dataclass
class Watch:
    """A progress that looks at the clock whenever it is told something."""

    phases: dict[str, Phase] = field(default_factory=dict)
    _begun: str | None = None
    _wall: float = field(default_factory=time.perf_counter)
    _cpu: float = field(default_factory=cpu_seconds)

    def __call__(self, what: str, done: int, of: int | None) -> None:
        """Told what is being done: with `done` 0, what begins now."""
        what = PIECE.sub("", what)
        wall, cpu = time.perf_counter(), cpu_seconds()
        phase = self.phases.setdefault(self._begun or what, Phase())
        phase.times += 1
        phase.wall_seconds += wall - self._wall
        phase.cpu_seconds += cpu - self._cpu
        phase.peak_mb = max(phase.peak_mb, peak_bytes() / 1e6)
        self._wall, self._cpu, self._begun = wall, cpu, what if done == 0 else None
        forget_peak()

    def table(self) -> str:
        """The phases as Markdown, in the order in which they came."""
        lines = ["| phase | times | wall s | CPU-s | peak MB |\n", "| --- | --: | --: | --: | --: |\n"]
        for what, phase in self.phases.items():
            cells = [what, f"{phase.times:,}", f"{phase.wall_seconds:.2f}", f"{phase.cpu_seconds:.2f}"]
            lines.append(f"| {' | '.join([*cells, f'{phase.peak_mb:,.0f}'])} |\n")
        return "".join(lines)


def profile(folder: Path, recipe: str | None = None) -> str:
    """Release FOLDER/store, cold; give the table."""
    from synthetic.release import release

    for left in (folder / "store" / "cache", folder / "release"):
        shutil.rmtree(left, ignore_errors=True)
    watch = Watch()
    release(folder / "store", to=folder / "release", recipe=recipe, progress=watch)
    watch("the end", 0, None)
    return watch.table()


def main() -> None:
    """Release and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.phases", description="Tell where a release's time goes."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recipe", help="its name or file; by default the default recipe")
    given = parser.parse_args()
    print(profile(given.folder, given.recipe), end="")


if __name__ == "__main__":
    main()
