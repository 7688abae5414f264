"""One trace, what a rule would drop, counts, and what a check found."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any  # JSON values and rows

from rich.text import Text

from synthetic.show import page

if TYPE_CHECKING:
    import polars as pl

    from synthetic.check import Checked
    from synthetic.manifest import Kept
    from synthetic.preview import Preview


def plain(value: Any) -> Any:  # a row's values
    """For `--json`: times as text."""
    match value:
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case datetime():
            return value.isoformat()
    return value


def funnels_json(funnels: "Mapping[str, tuple[list[Kept], int]]") -> dict[str, Any]:
    """For `--json`."""
    return {
        config: {"kept": kept, "steps": [{"rule": s.rule, "seen": s.seen, "dropped": s.dropped} for s in steps]}
        for config, (steps, kept) in funnels.items()
    }


def preview(seen: "Preview") -> None:
    """What a rule would drop."""
    share = f" ({seen.dropped / seen.rows:.1%})" if seen.rows else ""
    page.line(f"{seen.rule}: would drop {seen.dropped:,} of {page.rows(seen.rows)}{share}", "bold")
    table = page.columns("  environment", "#rows", "#dropped")
    for env, rows, dropped in seen.environments.iter_rows():
        page.add(table, f"  {env or '–'}", rows, dropped)
    page.show_table(table)
    if seen.examples:
        page.line("\n  for example")
    for row, reason in seen.examples:
        page.line(f"    {row}  {reason}")
    page.line(f"\nto do it, add to `keep` in a recipe:  {seen.toml}")


def preview_json(seen: "Preview") -> dict[str, Any]:
    """For `--json`."""
    fields = {f.name: getattr(seen, f.name) for f in dataclasses.fields(seen) if f.name != "environments"}
    return fields | {"environments": seen.environments.to_dicts()}


def trace(row: Mapping[str, Any]) -> None:
    """One trace: where it came from, its conversation, its scores, its verdict, why it was dropped."""
    page.line(f"{row['row_id']}  {row['env_id'] or ''}", "bold")
    steps = [
        f"{name} {row[key]}" for name, key in (("step", "step"), ("policy", "policy_start")) if row[key] is not None
    ]
    ended = [row["stop_condition"], row["finish_reason"], "cut off" if row["is_truncated"] else None]
    turns = f"{row['num_turns']} turn{'s' * (row['num_turns'] != 1)}"
    facts = (
        ("problem", row["problem_id"]),
        ("run", " · ".join([page.cell(row["run_name"]), row["kind"], *steps])),
        ("model", page.cell(row["model"])),
        ("log", f"{row['log_file']} at byte {row['log_offset']}"),
        ("ended", " · ".join(part for part in ended if part) or "–"),
        ("tokens", f"{page.cell(row['prompt_tokens'])} read, {page.cell(row['completion_tokens'])} written, {turns}"),
    )
    for name, value in facts:
        page.terminal().print(Text.assemble((f"  {name:8}", "dim"), page.shown(value)), soft_wrap=True)
    for message in row["messages"]:
        _message(message)
    scores = ", ".join(f"{s['name']} {page.cell(s['score'])} × {page.cell(s['weight'])}" for s in row["rewards"] or ())
    unnamed = "not scored" if row["reward"] is None else "no scorer is named"
    page.line(f"\n  reward {page.cell(row['reward'])}  ({scores or unnamed})")
    page.line(f"  verdict {row['verdict']}  ({row['verdict_rule']})", "bold")
    if row["errors"]:
        page.line(f"  errors {row['errors']}", "red")
    for drop in row["drops"]:
        page.line(f"  not in {drop['config']}: {drop['rule']}: {drop['reason']}", "yellow")
    for flag in row.get("flags", ()):
        page.line(f"  marked in {flag['config']}: {flag['rule']}: {flag['reason']}", "yellow")
    if row["also"]:
        page.line(f"\n  others begin alike: {', '.join(row['also'])}", "dim")


def _message(message: Mapping[str, Any]) -> None:
    page.line(f"\n  {message['role']}{' ' + message['name'] if message['name'] else ''}", "cyan")
    calls = [f"→ {call['function']['name']}({call['function']['arguments']})" for call in message["tool_calls"] or ()]
    texts = [(message["reasoning_content"], "dim italic"), (message["content"], ""), *((c, "magenta") for c in calls)]
    for text, style in texts:
        if text:
            page.block(text, style)


def counted(frame: "pl.DataFrame", by: "Sequence[str]") -> None:
    """Counts by columns, as `stats.by` gives them: a table where it fits, else a paragraph for each row."""
    titles = [name if name in by else name.replace("_", " ") for name in frame.columns]
    words = ["\n".join(title.split()) for title in titles]
    table = page.columns(*words[: len(by)], *(f"#{word}" for word in words[len(by) :]))
    for cells in frame.iter_rows():
        page.add(table, *cells)
    console = page.terminal()
    whole = console.measure(table, options=console.options.update(width=10_000)).maximum
    if whole <= console.width or not console.is_terminal:
        console.width = whole
        page.show_table(table, console)
        return
    for cells in frame.iter_rows():
        said = [page.cell(cell) for cell in cells]
        page.line(" · ".join(said[: len(by)]) or "all", "bold")
        page.block(", ".join(f"{title} {value}" for title, value in list(zip(titles, said, strict=True))[len(by) :]))


def checked(done: "Checked") -> None:
    """Whether everything holds."""
    for problem in done.problems:
        page.line(f"  ✗ {problem}", "red")
    for note in done.notes:
        page.line(f"  {note}", "yellow")
    verdict = "holds" if done.holds else f"does not hold: {len(done.problems)} problem{'s' * (len(done.problems) != 1)}"
    page.line(
        f"{done.path}: {done.kind} of {done.files:,} files and {done.rows:,} rows {verdict}",
        "green" if done.holds else "red",
    )


def checked_json(done: "Checked") -> dict[str, Any]:
    """For `--json`."""
    return dataclasses.asdict(done) | {"holds": done.holds}
