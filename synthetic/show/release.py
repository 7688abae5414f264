"""What a release holds, and what to type next."""

import dataclasses
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any  # JSON values

from rich.text import Text

from synthetic.show import page

if TYPE_CHECKING:
    from synthetic.compat import Compat
    from synthetic.manifest import Kept
    from synthetic.release import Released, Sample
    from synthetic.taskset import Taskset

BARS = " ▁▂▃▄▅▆▇█"


def released(done: "Released") -> None:
    """What a release holds: configs, funnels, one kept and one dropped trace, warnings."""
    where = f"→  {done.path}" if done.path else "(dry run: nothing was written)"
    page.line(
        f"\nreleased  {done.recipe.name} {done.recipe.version}  {where}{'' if done.changed else '  (unchanged)'}",
        "bold",
    )
    for config, judged in done.judged.items():
        if judged.steps:
            from synthetic.manifest import Kept
            from synthetic.views import VIEWS

            steps = [Kept(step.use.text, step.seen, step.dropped, step.flagged) for step in judged.steps]
            funnel(config, steps, judged.kept)
            view = VIEWS[config]
            if not view.by_row and done.manifest and config in done.manifest.configs:
                made = done.manifest.configs[config].rows
                page.line(f"    of them  {made:,} {view.unit[made != 1]}", "bold")
        else:
            page.line(f"\n  {config}  everything: {page.rows(judged.kept)}")
    for sample, title in ((done.kept, "kept"), (done.dropped, "dropped")):
        if sample:
            _sample(sample, title)
    for entry in done.undecided:
        undecided(entry)
    for number, warning in enumerate(done.warnings):
        page.line(f"{'' if number else page.NEWLINE}  ! {warning}", "yellow")


def funnel(config: str, steps: "Sequence[Kept]", kept: int) -> None:
    """The steps of a config, each with what it dropped."""
    table = page.columns(f"  {config}", "#rows", "#dropped")
    if steps:
        page.add(table, "    captured", steps[0].seen, "")
    for step in steps:
        page.add(table, f"      {step.rule}", step.seen - step.dropped, step.dropped or None)
        if step.flagged:
            page.add(table, f"        flagged: {step.flagged:,}, not dropped", "", "")
    table.add_row(Text("    kept", style="bold"), Text(f"{kept:,}", style="bold"), Text(""))
    print()
    page.show_table(table)


def table(made: "Compat") -> None:
    """A table in the columns of a published one."""
    page.line(f"\n  {made.kind}  {page.rows(made.rows)}  →  {made.path}")
    for why, count in made.left_out.items():
        page.line(f"    {count:,} left out: {why}", "yellow")


def taskset(made: "Taskset") -> None:
    """Problems as a package, and how it is tried."""
    page.line(f"\n  {made.name}  {made.rows:,} problem{'' if made.rows == 1 else 's'}  →  {made.path}")
    for why, count in made.left_out.items():
        page.line(f"    {count:,} left out: {why}", "yellow")
    where = made.path if made.path.startswith("/") else f"./{made.path}"
    page.line(f"    pip install {quote(where)} && vf-eval {made.name} -n 3 --env.agent.harness.id null")


def _sample(sample: "Sample", title: str) -> None:
    page.line(
        f"\n  {title}: {sample.row_id}  {sample.env_id or ''}  [{sample.verdict}]",
        "green" if title == "kept" else "red",
    )
    if sample.reason:
        page.line(f"    {sample.rule}: {sample.reason}", "red")
    for role, text in (("user", sample.prompt), ("assistant", sample.answer)):
        page.line(f"    {role}", "cyan")
        page.block("\n".join(line for line in text.splitlines() if line.strip()), indent=6)


def undecided(entry: Mapping[str, Any]) -> None:
    """An environment whose rows no scorer decides: its rewards, and the line that would."""
    bins = entry["rewards"]["bins"]
    top = max((one["rows"] for one in bins), default=0) or 1
    bars = "".join(BARS[-(-one["rows"] * (len(BARS) - 1) // top)] for one in bins)
    if not bins:
        rewards = "never scored"
    elif len(bins) == 1:
        rewards = f"reward {page.cell(bins[0]['from'])}"
    else:
        rewards = f"rewards from {page.cell(bins[0]['from'])} {bars} to {page.cell(bins[-1]['to'])}"
    of = entry["environment"] or "an unnamed environment"
    page.line(f"\n  undecided: {page.rows(entry['rows'])} of {of}; {rewards}", "yellow")
    if entry["recipe"]:
        for scorer in entry["scorers"][:3]:
            page.line(
                f"    scorer {scorer['name']} from {page.cell(scorer['min'])} to {page.cell(scorer['max'])}", "yellow"
            )
        page.line("  to decide, add to the recipe, with a threshold of your own:", "yellow")
        page.block(entry["recipe"], wrap=False)


def next_steps(done: "Released", *stores: str) -> None:
    """A recipe for these stores, to edit, and the commands that a reader would type next."""
    if done.path is None:
        return
    page.line("\na recipe for what was captured: save it as my-recipe.toml and edit it", "bold")
    page.block(done.starter.rstrip(), "dim", indent=2, wrap=False)
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
    page.line(f"\n{title}", "bold")
    width = max((len(command) for command, _ in commands if len(command) < 64), default=0)
    for command, gives in commands:
        page.line(f"  {command:{width}}  # {gives}" if gives else f"  {command}")


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
                "funnel": [
                    {"rule": s.use.text, "seen": s.seen, "dropped": s.dropped, "flagged": s.flagged}
                    for s in judged.steps
                ],
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
