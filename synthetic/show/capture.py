"""What a capture did, and which formats it knows."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any  # JSON values

from synthetic.show import page

if TYPE_CHECKING:
    from synthetic.captured import Captured
    from synthetic.formats import Format


def captured(done: "Captured") -> None:
    """What a capture did, with its balance."""
    logs = f"{done.files} log{'s' * (done.files != 1)} of {', '.join(done.runs) or 'no run'}"
    page.line(page.cell(f"captured  {logs}  ({', '.join(done.formats)})  →  {done.store}"), "bold")
    page.line(
        f"  {done.seen:,} lines seen = {done.captured:,} captured + {done.quarantined:,} quarantined"
        f" + {done.seen_before:,} seen before"
    )
    late = f"{done.late_facts:,} late fact{'s' * (done.late_facts != 1)}"
    tokens = f", tokens of {page.rows(done.token_rows)}" if done.token_rows else ""
    page.line(f"  {done.rows:,} new row{'s' * (done.rows != 1)}, {late}{tokens}")
    for name in done.torn:
        page.line(page.cell(f"  {name}: its last line is torn and waits for the next capture"), "yellow")
    for why, lines in sorted(done.reasons.items(), key=lambda reason: -reason[1])[:3]:
        page.line(page.cell(f"  {lines:,} line{'s' * (lines != 1)} set aside: {why[:200]}"), "yellow")
    for path in done.quarantine:
        page.line(page.cell(f"  set aside, with reasons: {path}"), "yellow")
    if done.repaired:
        page.line(
            f"  {done.repaired:,} lines held NaN, infinities or broken characters: made null; extra says where",
            "yellow",
        )
    for path, keys in done.unknown.items():
        told = f"  {path}: not read; no format knows its lines, whose keys are {', '.join(keys)}"
        page.line(page.cell(told), "yellow")
    for refused in done.refused:
        page.line(page.cell(f"  not read: {refused}"), "red")
    for warning in done.warnings:
        page.line(page.cell(f"  {warning}"), "yellow")


def captured_json(done: "Captured") -> dict[str, Any]:
    """For `--json`."""
    return dataclasses.asdict(done) | {"seen": done.seen}


def formats(known: "Sequence[Format]") -> None:
    """The formats that can be captured, one a line: how its files are named, and what tells its lines from others."""
    table = page.columns("format", "files", "known by")
    for one in known:
        page.add(table, one.name, one.looked_for, one.detected_by)
    page.show_table(table)
    page.line("any other: a column map of ten lines of TOML, --format my-map.toml (docs/logs/maps.md)", "dim")
