"""A small real run, captured and released, offline: what the tool does, in seconds.

The run comes with the package: verifiers 0.4 on real tasks with real scorers, the model played by a script, written in
prime-rl's layout (`pipelines/demo`).
"""

from pathlib import Path

from synthetic.capture import capture
from synthetic.captured import Captured
from synthetic.release import Released, release
from synthetic.resources import folder
from synthetic.stage import Progress, silent
from synthetic.target import store_beside


def demo(to: str | Path, progress: Progress = silent) -> tuple[Captured, Released]:
    """Capture the bundled run into `<to>.store` and release it in `to`."""
    bundled = folder("pipelines") / "demo"
    store = store_beside(to)
    captured = capture(bundled / "run", into=store, progress=progress)
    return captured, release(store, to=to, recipe=bundled / "recipe.toml", progress=progress)
