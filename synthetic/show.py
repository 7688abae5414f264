"""Results for people: what a capture, a release, a check or one trace says, printed.

Everything that comes from a log passes through `shown` first, so that a terminal never acts on it. The `…_json`
functions give the same as plain values, for `--json`.
"""

import dataclasses
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, Any  # JSON values and rows

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import polars as pl

    from synthetic.capture import Captured
    from synthetic.check import Checked
    from synthetic.formats import Format
    from synthetic.manifest import Kept
    from synthetic.preview import Preview
    from synthetic.release import Released, Sample

NEWLINE = "\n"
BARS = " ▁▂▃▄▅▆▇█"


def shown(text: str) -> str:
    """The text with control, bidi and other invisible characters as escapes; newlines and tabs stay."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c)[0] != "C" else c.encode("unicode_escape").decode() for c in text
    )


def shown_json(text: str) -> str:
    """The same for JSON text, which stays equal JSON."""
    return "".join(c if unicodedata.category(c)[0] != "C" else json.dumps(c)[1:-1] for c in text)


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 140  # what is piped is not cut for a terminal that nobody sees
    return console


def _line(text: str, style: str = "") -> None:
    _console().print(Text(shown(text), style=style), soft_wrap=True)


def _block(text: str, style: str = "", *, indent: int = 4, wrap: bool = True) -> None:
    """A text of several lines, indented; wrapped for a terminal, unless it is to be copied."""
    console, content = _console(), Text(shown(text), style=style)
    narrow = wrap and console.is_terminal
    for line in content.wrap(console, max(20, console.width - indent)) if narrow else content.split(allow_blank=True):
        line.rstrip()
        console.print(Text(" " * indent if line.plain else "") + line, soft_wrap=True)


def _print(table: Table, console: Console | None = None) -> None:
    console = console or _console()
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        print(line.rstrip())


def lines(texts: Iterable[tuple[str, str]]) -> None:
    """Lines of text, each with its style."""
    for text, style in texts:
        _line(text, style)


def _columns(*names: str) -> Table:
    """A plain table; a name that begins with '#' is a column of numbers."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        number = name.startswith("#")
        table.add_column(name.lstrip("#"), justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _add(table: Table, *cells: object) -> None:
    table.add_row(*(Text(_cell(cell)) for cell in cells))


def _cell(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.3f}".rstrip("0").rstrip(".") if abs(cell) >= 0.001 or not cell else f"{cell:.2g}"
    return shown(str(cell).replace("\n", "⏎"))


# ---- capture


def captured(done: "Captured") -> None:
    """What a capture did, with its balance."""
    logs = f"{done.files} log{'s' * (done.files != 1)} of {', '.join(done.runs) or 'no run'}"
    _line(f"captured  {logs}  ({', '.join(done.formats)})  →  {done.store}", "bold")
    _line(
        f"  {done.seen:,} lines seen = {done.captured:,} captured + {done.quarantined:,} quarantined"
        f" + {done.seen_before:,} seen before"
    )
    late = f"{done.late_facts:,} late fact{'s' * (done.late_facts != 1)}"
    _line(f"  {done.rows:,} new row{'s' * (done.rows != 1)}, {late}")
    for name in done.torn:
        _line(f"  {name}: its last line is torn and waits for the next capture", "yellow")
    for path in done.quarantine:
        _line(f"  set aside, with reasons: {path}", "yellow")
    if done.repaired:
        _line(
            f"  {done.repaired:,} lines held NaN, infinities or broken characters: made null; extra says where",
            "yellow",
        )
    for warning in done.warnings:
        _line(f"  {warning}", "yellow")


def captured_json(done: "Captured") -> dict[str, Any]:
    """For `--json`."""
    return dataclasses.asdict(done) | {"seen": done.seen}


# ---- release


def released(done: "Released") -> None:
    """What a release holds: configs, funnels, one kept and one dropped trace, warnings."""
    where = f"→  {done.path}" if done.path else "(dry run: nothing was written)"
    _line(
        f"\nreleased  {done.recipe.name} {done.recipe.version}  {where}{'' if done.changed else '  (unchanged)'}",
        "bold",
    )
    for config, judged in done.judged.items():
        if judged.steps:
            from synthetic.manifest import Kept

            steps = [Kept(step.use.text, step.seen, step.dropped) for step in judged.steps]
            funnel(config, steps, judged.kept)
        else:
            _line(f"\n  {config}  everything: {_rows(judged.kept)}")
    for sample, title in ((done.kept, "kept"), (done.dropped, "dropped")):
        if sample:
            _sample(sample, title)
    for entry in done.undecided:
        undecided(entry)
    for number, warning in enumerate(done.warnings):
        _line(f"{'' if number else NEWLINE}  ! {warning}", "yellow")


def funnel(config: str, steps: "Sequence[Kept]", kept: int) -> None:
    """The steps of a config, each with what it dropped."""
    table = _columns(f"  {config}", "#rows", "#dropped")
    if steps:
        _add(table, "    captured", steps[0].seen, "")
    for step in steps:
        _add(table, f"      {step.rule}", step.seen - step.dropped, step.dropped or None)
    table.add_row(Text("    kept", style="bold"), Text(f"{kept:,}", style="bold"), Text(""))
    print()
    _print(table)


def _sample(sample: "Sample", title: str) -> None:
    _line(
        f"\n  {title}: {sample.row_id}  {sample.env_id or ''}  [{sample.verdict}]",
        "green" if title == "kept" else "red",
    )
    if sample.reason:
        _line(f"    {sample.rule}: {sample.reason}", "red")
    for role, text in (("user", sample.prompt), ("assistant", sample.answer)):
        _line(f"    {role}", "cyan")
        _block("\n".join(line for line in text.splitlines() if line.strip()), indent=6)


def undecided(entry: Mapping[str, Any]) -> None:
    """An environment whose rows no scorer decides: its rewards, and the line that would."""
    bins = entry["rewards"]["bins"]
    top = max((one["rows"] for one in bins), default=0) or 1
    bars = "".join(BARS[-(-one["rows"] * (len(BARS) - 1) // top)] for one in bins)
    if not bins:
        rewards = "never scored"
    elif len(bins) == 1:
        rewards = f"reward {_cell(bins[0]['from'])}"
    else:
        rewards = f"rewards from {_cell(bins[0]['from'])} {bars} to {_cell(bins[-1]['to'])}"
    of = entry["environment"] or "an unnamed environment"
    _line(f"\n  undecided: {_rows(entry['rows'])} of {of}; {rewards}", "yellow")
    if entry["recipe"]:
        for scorer in entry["scorers"][:3]:
            _line(f"    scorer {scorer['name']} from {_cell(scorer['min'])} to {_cell(scorer['max'])}", "yellow")
        _line("  to decide, add to the recipe, with a threshold of your own:", "yellow")
        _block(entry["recipe"], wrap=False)


def next_steps(done: "Released", *stores: str) -> None:
    """A recipe for these stores, to edit, and the commands that a reader would type next."""
    if done.path is None:
        return
    _line("\na recipe for what was captured: save it as my-recipe.toml and edit it", "bold")
    _block(done.starter.rstrip(), "dim", indent=2, wrap=False)
    to = quote(done.path)
    commands = [(f"synthetic check {to}", "every byte, count and claim, checked again")]
    if done.kept:
        commands.append((f"synthetic show {to} {quote(done.kept.row_id)}", "the kept trace above, whole"))
    again = f"synthetic release {' '.join(map(quote, stores))} --to {to} --recipe my-recipe.toml"
    _commands("next", ("less " + quote(f"{done.path}/README.md"), "the card"), *commands, (again, "by your recipe"))


def what_to_look_at(done: "Released") -> None:
    """The end of the demo."""
    to = quote(done.path or "")
    load = f"import datasets; print(datasets.load_dataset({done.path!r}, split='train'))"
    commands = [("less " + quote(f"{done.path}/README.md"), "the card: every number in it is counted from the rows")]
    if done.dropped:
        commands.append((f"synthetic show {to} {quote(done.dropped.row_id)}", "the dropped trace above, whole"))
    commands += [
        (f"synthetic stats {to} --by env_id,step", "pass rates and lengths, by step"),
        (f"synthetic check {to}", "every byte, count and claim, checked again"),
        (f'python -c "{load}"', ""),
        ("synthetic export RUN --to my-release", "the same, for a run of yours"),
    ]
    _commands("look at", *commands)


def _commands(title: str, *commands: tuple[str, str]) -> None:
    """Commands to copy, each with what it gives."""
    _line(f"\n{title}", "bold")
    width = max((len(command) for command, _ in commands if len(command) < 64), default=0)
    for command, gives in commands:
        _line(f"  {command:{width}}  # {gives}" if gives else f"  {command}")


def released_json(done: "Released") -> dict[str, Any]:
    """For `--json`."""
    return {
        "path": done.path,
        "name": done.recipe.name,
        "version": done.recipe.version,
        "changed": done.changed,
        "configs": {
            config: {
                "rows": judged.kept,
                "funnel": [{"rule": s.use.text, "seen": s.seen, "dropped": s.dropped} for s in judged.steps],
            }
            for config, judged in done.judged.items()
        },
        "root": done.manifest.root if done.manifest else None,
        "kept": dataclasses.asdict(done.kept) if done.kept else None,
        "dropped": dataclasses.asdict(done.dropped) if done.dropped else None,
        "undecided": list(done.undecided),
        "warnings": list(done.warnings),
        "recipe": done.starter,
    }


# ---- looks


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
    _line(f"{seen.rule}: would drop {seen.dropped:,} of {_rows(seen.rows)}{share}", "bold")
    table = _columns("  environment", "#rows", "#dropped")
    for env, rows, dropped in seen.environments.iter_rows():
        _add(table, f"  {env or '–'}", rows, dropped)
    _print(table)
    if seen.examples and not seen.pairs:
        _line("\n  for example")
    for row, reason in seen.examples if not seen.pairs else ():
        _line(f"    {row}  {reason}")
    for row, keeper, text in seen.pairs:
        _line(f"\n  {keeper} stays\n  {row} goes; both begin:", "dim")
        _block(text)
    _line(f"\nto do it, add to `keep` in a recipe:  {seen.toml}")


def preview_json(seen: "Preview") -> dict[str, Any]:
    """For `--json`."""
    fields = {f.name: getattr(seen, f.name) for f in dataclasses.fields(seen) if f.name != "environments"}
    return fields | {"environments": seen.environments.to_dicts()}


def trace(row: Mapping[str, Any]) -> None:
    """One trace: where it came from, its conversation, its scores, its verdict, why it was dropped."""
    _line(f"{row['row_id']}  {row['env_id'] or ''}", "bold")
    steps = [
        f"{name} {row[key]}" for name, key in (("step", "step"), ("policy", "policy_start")) if row[key] is not None
    ]
    ended = [row["stop_condition"], row["finish_reason"], "cut off" if row["is_truncated"] else None]
    turns = f"{row['num_turns']} turn{'s' * (row['num_turns'] != 1)}"
    facts = (
        ("problem", row["problem_id"]),
        ("run", " · ".join([_cell(row["run_name"]), row["kind"], *steps])),
        ("model", _cell(row["model"])),
        ("log", f"{row['log_file']} at byte {row['log_offset']}"),
        ("ended", " · ".join(part for part in ended if part) or "–"),
        ("tokens", f"{_cell(row['prompt_tokens'])} read, {_cell(row['completion_tokens'])} written, {turns}"),
    )
    for name, value in facts:
        _console().print(Text.assemble((f"  {name:8}", "dim"), shown(value)), soft_wrap=True)
    for message in row["messages"]:
        _message(message)
    scores = ", ".join(f"{s['name']} {_cell(s['score'])} × {_cell(s['weight'])}" for s in row["rewards"] or ())
    _line(f"\n  reward {_cell(row['reward'])}  ({scores or 'not scored'})")
    _line(f"  verdict {row['verdict']}  ({row['verdict_rule']})", "bold")
    if row["errors"]:
        _line(f"  errors {row['errors']}", "red")
    for drop in row["drops"]:
        _line(f"  not in {drop['config']}: {drop['rule']}: {drop['reason']}", "yellow")
    if row["also"]:
        _line(f"\n  others begin alike: {', '.join(row['also'])}", "dim")


def _message(message: Mapping[str, Any]) -> None:
    _line(f"\n  {message['role']}{' ' + message['name'] if message['name'] else ''}", "cyan")
    calls = [f"→ {call['function']['name']}({call['function']['arguments']})" for call in message["tool_calls"] or ()]
    texts = [(message["reasoning_content"], "dim italic"), (message["content"], ""), *((c, "magenta") for c in calls)]
    for text, style in texts:
        if text:
            _block(text, style)


def counted(frame: "pl.DataFrame", by: "Sequence[str]") -> None:
    """Counts by columns, as `stats.by` gives them: a table where it fits, else a paragraph for each row."""
    titles = [name if name in by else name.replace("_", " ") for name in frame.columns]
    words = ["\n".join(title.split()) for title in titles]
    table = _columns(*words[: len(by)], *(f"#{word}" for word in words[len(by) :]))
    for cells in frame.iter_rows():
        _add(table, *cells)
    console = _console()
    whole = console.measure(table, options=console.options.update(width=10_000)).maximum
    if whole <= console.width or not console.is_terminal:
        console.width = whole
        _print(table, console)
        return
    for cells in frame.iter_rows():
        said = [_cell(cell) for cell in cells]
        _line(" · ".join(said[: len(by)]) or "all", "bold")
        _block(", ".join(f"{title} {value}" for title, value in list(zip(titles, said, strict=True))[len(by) :]))


def checked(done: "Checked") -> None:
    """Whether everything holds."""
    for problem in done.problems:
        _line(f"  ✗ {problem}", "red")
    for note in done.notes:
        _line(f"  {note}", "yellow")
    verdict = "holds" if done.holds else f"does not hold: {len(done.problems)} problem{'s' * (len(done.problems) != 1)}"
    _line(
        f"{done.path}: {done.kind} of {done.files:,} files and {done.rows:,} rows {verdict}",
        "green" if done.holds else "red",
    )


def checked_json(done: "Checked") -> dict[str, Any]:
    """For `--json`."""
    return dataclasses.asdict(done) | {"holds": done.holds}


def formats(known: "Sequence[Format]") -> None:
    """The formats that can be captured."""
    for one in known:
        _line(f"{one.name}  {one.title}", "bold")
        _line(f"  files     {one.looked_for}\n  known by  {one.detected_by}")
