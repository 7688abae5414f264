"""What a resumed run took back.

A trainer that resumes from a step deletes the later steps and writes them anew. What was captured of them stays a
fact, but the final weights never saw it. A log that was replaced says so only if the run is the same one: then every
log of an earlier step still stands as it was captured. Two runs whose folders have one name are no resume.
"""

import re
from collections.abc import Sequence, Set

import polars as pl

from synthetic.formats import Source
from synthetic.store import Log, Shard


def withdrawn(source: Source, before: Sequence[Shard], present: Set[Log]) -> list[str]:
    """The traces that were captured from earlier logs of the source's name, if the run was resumed from before them.

    `before` are the shards as they were, `present` the logs that stand in the run's folder now. Sorted.
    """
    traces = [shard for shard in before if shard.footer.kind == "traces"]
    of_run = {part.log for shard in traces for part in shard.footer.ranges if part.run == source.run}
    replaced = {log for log in of_run if log[1] == source.name and log not in present}
    stands = of_run & present
    if not replaced or not stands:
        return []
    said = _said(before)
    gone = {log: ids for log in of_run - present if not (ids := _ids(log, traces)) <= said or log in replaced}
    left, kept = ({path for _, path, *_ in logs} for logs in (gone, stands))
    if any(_step(stays) > _step(went) or stays == went for went in left for stays in kept):
        return []
    return sorted(set().union(*(gone[log] for log in replaced)) - said)


def _step(path: str) -> int:
    """The step that a log's path names; 0 where it names none."""
    match = re.search(r"\d+", path)
    return int(match[0]) if match else 0


def _ids(log: Log, traces: Sequence[Shard]) -> set[str]:
    """The traces that were captured from the log, and from those that share its shards and its name."""
    held = [shard for shard in traces if any(part.log == log for part in shard.footer.ranges)]
    frames = [pl.scan_parquet(s.path, glob=False).filter(pl.col("log_file") == log[1]).select("trace_id") for s in held]
    return set(pl.concat(frames).collect()["trace_id"])


def _said(before: Sequence[Shard]) -> set[str]:
    """The traces that are marked as rewound already."""
    held = [shard for shard in before if shard.footer.kind == "annotations"]
    frames = [pl.scan_parquet(s.path, glob=False).filter(pl.col("key") == "rewound").select("trace_id") for s in held]
    return set(pl.concat(frames).collect()["trace_id"]) if frames else set()
