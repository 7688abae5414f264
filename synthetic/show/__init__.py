"""Results for people: what a capture, a release, a check or one trace says, printed.

Everything that comes from a log passes through `page.shown` first, so that a terminal never acts on it. The `…_json`
functions give the same as plain values, for `--json`.
"""

from synthetic.show.capture import captured, captured_json, formats
from synthetic.show.look import (
    checked,
    checked_json,
    counted,
    funnels_json,
    plain,
    preview,
    preview_json,
    trace,
)
from synthetic.show.page import lines, shown, shown_json
from synthetic.show.release import (
    funnel,
    next_steps,
    released,
    released_json,
    table,
    taskset,
    undecided,
    what_to_look_at,
)
from synthetic.show.twins import deduped, deduped_json

__all__ = [
    "captured",
    "captured_json",
    "checked",
    "checked_json",
    "counted",
    "deduped",
    "deduped_json",
    "formats",
    "funnel",
    "funnels_json",
    "lines",
    "next_steps",
    "plain",
    "preview",
    "preview_json",
    "released",
    "released_json",
    "shown",
    "shown_json",
    "table",
    "taskset",
    "trace",
    "undecided",
    "what_to_look_at",
]
