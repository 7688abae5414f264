"""Count the numbers of a release's card again from its shards, and name those that are wrong.

    python pipelines/card_numbers.py RELEASE [TOKENIZER]

`TABLES` says for each table of README.md, by its heading, how its rows are counted with polars; `lines` the counts in
prose; tokens are counted where the `tokenizer.json` is given. Nothing is used of what wrote the card. `synthetic check`
runs the same. Not in the shards, and so not counted here: log files and lines (`release/manifest.json` has them), the
order and settings of rules (its `funnel`), what was compared (`references`), hashes, versions. The histograms of
undecided rewards are left to `synthetic check`, which writes the card anew. Memory is bounded: narrow columns, and
texts a few hundred rows at a time.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias  # JSON

import polars as pl

Frames: TypeAlias = dict[str, pl.LazyFrame]
Row: TypeAlias = tuple[object, ...]

ENV = pl.coalesce("env_id", "env_name").alias("env")
ATTEMPT = (pl.col("branch") == 0) & pl.col("trainable").ne_missing(False)
CUT = pl.col("is_truncated").fill_null(False)
RIGHT = pl.col("verdict") == "correct"
WRONG = (pl.col("verdict") == "incorrect") & ~CUT
REWARD = pl.when(pl.col("reward").is_finite()).then("reward")
MOST = 50
Z = 1.959963984540054


def is_verdict(*names: str) -> list[pl.Expr]:
    """Rows of each verdict."""
    return [(pl.col("verdict") == name).sum().alias(name) for name in names]


def quantile(column: str, part: float) -> pl.Expr:
    """The smallest value that occurs and that so many do not exceed."""
    return pl.col(column).quantile(part, interpolation="equiprobable").alias(f"{column} {part}")


def percent(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A part of a whole; null of nothing."""
    return 100 * pl.when(whole > 0).then(part / whole)


def interval(right: str, decided: str) -> list[pl.Expr]:
    """Pass rate and 95 % interval, in percent (Wilson 1927)."""
    k, n = pl.col(right), pl.col(decided)
    p = k / n
    middle, reach = p + Z**2 / (2 * n), Z * (p * (1 - p) / n + Z**2 / (4 * n**2)).sqrt()
    low, high = (middle - reach) / (1 + Z**2 / n), (middle + reach) / (1 + Z**2 / n)
    return [
        (100 * pl.when(n > 0).then(value)).alias(name) for name, value in (("rate", p), ("low", low), ("high", high))
    ]


def rows(frame: pl.LazyFrame, keys: list[str], *counts: pl.Expr, show: list[str] | None = None) -> list[Row]:
    """The counts for each value of `keys`, in their order, nulls last; those to `show`."""
    found = frame.group_by(keys).agg(*counts).sort(keys, nulls_last=True).collect(engine="streaming").head(MOST)
    return found.drop(keys).select(show or pl.all()).rows()


def attempts(frames: Frames) -> pl.LazyFrame:
    """One row for each attempt."""
    return frames["traces"].filter(ATTEMPT).with_columns(ENV, REWARD.alias("reward"))


def configs(frames: Frames) -> list[Row]:
    """Rows, problems, lengths of every config."""
    found = []
    for frame in frames.values():
        counts = [pl.len(), pl.n_unique("problem_id"), pl.n_unique("problem_cluster")]
        tokens = pl.col("completion_tokens")
        if "completion_tokens" in frame.collect_schema():
            counts += [quantile("completion_tokens", 0.5), tokens.max().alias("most")]
            counts += [pl.when(tokens.count() > 0).then(tokens.cast(pl.Int64).sum()).alias("all")]
        found += frame.select(counts).collect(engine="streaming").rows()
    return found


def problems(frames: Frames) -> list[Row]:
    """Problems solved, not solved, not decided; attempts cut off."""
    each = attempts(frames).group_by("env", "kind", "problem_id")
    judged = each.agg(right=RIGHT.any(), wrong=WRONG.any(), cut=(CUT & ~RIGHT).sum())
    right, wrong = pl.col("right"), pl.col("wrong")
    solved, not_solved = right.sum().alias("solved"), (wrong & ~right).sum().alias("not")
    rest = (~right & ~wrong).sum().alias("rest")
    return rows(judged, ["env", "kind"], pl.len().alias("n"), solved, not_solved, rest, pl.sum("cut"))


def bands(frames: Frames) -> list[Row]:
    """Problems of each band of difficulty."""
    band = pl.col("difficulty_band")
    names = ("unsolved", "hard", "normal", "easy", "solved")
    counted = [(band == name).sum().alias(name) for name in names]
    return frames["rl_tasks"].select(*counted, band.null_count().alias("open")).collect(engine="streaming").rows()


def by_task(frames: Frames) -> list[Row]:
    """Attempts and pass rates by environment and task."""
    names = ("attempts", "correct", "incorrect", "truncated", "errors", "undecided")
    counts = frames["rl_tasks"].with_columns(ENV).group_by("env", "task_type")
    summed = counts.agg(pl.len().alias("problems"), *(pl.col(name).cast(pl.Int64).sum() for name in names))
    rated = summed.with_columns(decided=pl.col("correct") + pl.col("incorrect"))
    shown = rated.with_columns(interval("correct", "decided")).sort("env", "task_type", nulls_last=True)
    return shown.select("problems", *names, "rate", "low", "high").collect(engine="streaming").head(MOST).rows()


def by_model(frames: Frames) -> list[Row]:
    """Attempts and pass rates by model, revision, token cap and temperature."""
    keys = ["model", "model_revision", "max_tokens", "temperature"]
    names = ("n_samples", "n_scored", "n_correct", "n_truncated", "n_errors", "n_undecided")
    each = frames["rl_tasks"].select(pl.col("difficulty").explode()).drop_nulls().unnest("difficulty").group_by(keys)
    summed = each.agg(pl.len().alias("problems"), *(pl.col(name).cast(pl.Int64).sum() for name in names))
    shown = summed.with_columns(interval("n_correct", "n_scored")).sort(keys, nulls_last=True)
    return shown.select("problems", *names, "rate", "low", "high").collect(engine="streaming").head(MOST).rows()


def models(frames: Frames) -> list[Row]:
    """Rows, lengths and truncation by model."""
    lengths = [quantile("prompt_tokens", 0.5), quantile("prompt_tokens", 0.95)]
    lengths += [quantile("completion_tokens", 0.5), quantile("completion_tokens", 0.95), pl.max("completion_tokens")]
    cut = (100 * pl.col("is_truncated").mean()).alias("cut")
    return rows(frames["traces"], ["model", "model_revision"], pl.len().alias("rows"), *lengths, cut)


def runs(frames: Frames) -> list[Row]:
    """Steps, policy versions and rows of every run."""
    step, start, end = pl.col("step"), pl.col("policy_start"), pl.col("policy_end")
    last = pl.max_horizontal(start.max(), end.max())
    ends = [step.min(), step.max().alias("last step"), start.min(), last.alias("last policy")]
    found = []
    for one, two, three, four, count in rows(
        frames["traces"], ["run_name", "framework", "framework_version", "kind"], *ends, pl.len().alias("rows")
    ):
        spans = [span[:1] if span[0] == span[1] or None in span else span for span in ((one, two), (three, four))]
        found.append((*spans[0], *spans[1], count))
    return found


def sampling(frames: Frames) -> list[Row]:
    """Rows of every combination of sampling parameters, without seeds, the commonest of each model first."""
    plain = pl.col("sampling").str.replace(r'"seed":-?\d+,|,?"seed":-?\d+', "").alias("sampling")
    keys = ["model", "model_revision"]
    each = frames["traces"].with_columns(plain).group_by(*keys, "sampling").len().collect(engine="streaming")
    order = each.sort(*keys, "len", "sampling", descending=[False, False, True, False], nulls_last=True)
    found: list[Row] = []
    for _, some in order.group_by(keys, maintain_order=True):
        counts = some["len"].to_list()
        found += [(count,) for count in counts[:10]] + [(sum(counts[10:]),)] * (len(counts) > 10)
    return found


def pairs(frame: pl.LazyFrame) -> str:
    """What the pairs are made of, as the card says it."""
    model, policy = pl.col("same_model"), pl.col("same_policy_version")
    columns = (model.sum(), (~model).sum(), policy.sum(), (~policy).sum(), policy.null_count())
    counts = [pl.len(), *(column.alias(str(number)) for number, column in enumerate(columns))]
    all, one, two, version, versions, unknown = frame.select(counts).collect(engine="streaming").row(0)
    return (
        f"The {_plural(all, 'pair')}: {one:,} of one model, {two:,} of two; {version:,} of one policy version,"
        f" {versions:,} of two, {unknown:,} unknown."
    )


def verifiers(frames: Frames) -> list[Row]:
    """Attempts of each verifier, what stayed open, what null means."""
    null, failed = pl.col("reward").is_null(), pl.col("verdict") == "error"
    counts = [pl.len().alias("n"), *is_verdict("undecided", "error")]
    counts += [(null & failed).sum().alias("failed"), (null & ~failed).sum().alias("unscored")]
    return rows(attempts(frames), ["env", "kind", "verifier", "verifier_version"], *counts)


def verdicts(frames: Frames) -> list[Row]:
    """Verdicts and pass rates by environment."""
    rate = percent((RIGHT).sum(), (RIGHT | WRONG).sum()).alias("rate")
    counts = is_verdict("correct", "incorrect", "undecided", "error")
    return rows(attempts(frames), ["env", "kind"], pl.len().alias("n"), *counts, rate)


def tokens(frames: Frames, tokenizer: Path, budget: int) -> list[Row]:
    """Tokens of every conversation that is trained on, and how many take more than the budget."""
    from tokenizers import Tokenizer

    known = Tokenizer.from_file(str(tokenizer))
    known.no_truncation()
    known.no_padding()
    found: list[Row] = []
    for config, frame in frames.items():
        sides = [("prompt", "chosen"), ("prompt", "rejected")] if config == "preference" else [("messages",)]
        for columns in sides if config == "preference" or config.startswith("sft_") else ():
            counts = []
            for rows in frame.select(*columns, "tools").collect_batches(chunk_size=500, maintain_order=True):
                for row in rows.iter_rows(named=True):
                    text = "\n".join([*spoken(row, columns), *([row["tools"]] if row["tools"] is not None else [])])
                    pieces = [text[at : at + 10**6] for at in range(0, len(text), 10**6)]
                    counts.append(sum(len(known.encode(piece, add_special_tokens=False).ids) for piece in pieces))
            # Not to the last token: of a text of several pieces, a cut between two may make one more.
            n, all = pl.col("n"), pl.col("n").cast(pl.Float64)
            most = [quantile("n", 0.5).cast(pl.Float64), quantile("n", 0.95).cast(pl.Float64), all.max().alias("max")]
            found += pl.DataFrame({"n": counts}, schema={"n": pl.Int64}).select(
                pl.len(), all.sum().alias("sum"), *most, (n > budget).sum().alias("over")
            ).rows()  # fmt: skip
    return found


def spoken(row: dict[str, Any], columns: tuple[str, ...]) -> Iterator[str]:
    """The texts of messages: contents, thinking, names and arguments of calls."""
    for message in (message for column in columns for message in row[column]):
        yield from (message[part] for part in ("content", "reasoning_content") if message[part] is not None)
        for call in message["tool_calls"] or ():
            said = (call["function"]["name"], call["function"]["arguments"])
            yield " ".join(part for part in said if part is not None)


TABLES: dict[str, tuple[int, Callable[[Frames], list[Row]]]] = {
    "Config | Rows | Problems | unique": (1, configs),
    "Environment | Made for | Attempts | Correct": (2, verdicts),
    "Environment | Made for | Problems | Solved": (2, problems),
    "Environment | Made for | Attempts not scored": (
        2,
        lambda frames: rows(
            attempts(frames),
            ["env", "kind"],
            pl.col("reward").null_count().alias("null"),
            pl.col("reward").min().alias("least"),
            pl.col("reward").mean().alias("mean"),
            pl.col("reward").max().alias("greatest"),
        ),
    ),
    "Environment | Made for | Verifier": (5, verifiers),
    "Environment | Made for | Decided by": (
        3,
        lambda frames: rows(
            attempts(frames),
            ["env", "kind", "verdict_rule"],
            *is_verdict("correct", "incorrect", "undecided", "error"),
        ),
    ),
    "Unsolved (0) | Hard": (0, bands),
    "Environment | Task | Problems": (2, by_task),
    "Model | Revision | Policy versions": (5, by_model),
    "Model | Revision | Rows": (2, models),
    "Model | Parameters": (2, sampling),
    "Run | Framework": (4, runs),
    "Source of the problems": (
        3,
        lambda frames: rows(frames["traces"], ["source", "source_license", "hf_dataset_name"], pl.len().alias("n")),
    ),
}
"""By the beginning of a table's heading: its columns that are no counts, and how the others are counted."""


def lines(frames: Frames) -> Iterator[str]:
    """What stands in prose, with the counts that it must have."""
    traces = frames["traces"]
    unique = traces.select(pl.n_unique("trace_id", "problem_id", "problem_cluster"), pl.len().alias("rows"))
    (ids, ours, clusters, total) = unique.collect(engine="streaming").row(0)
    of = f", of which {clusters:,} are unique" if clusters != ours else ""
    yield f"| Holds | {_plural(total, 'row')} of {_plural(ids, 'trace')}, at {_plural(ours, 'problem')}{of} |"
    counts = is_verdict("correct", "incorrect", "undecided", "error")
    judged = attempts(frames).select(pl.len(), *counts, CUT.sum().alias("cut")).collect(engine="streaming").row(0)
    made, right, wrong, undecided, error, cut = judged
    said = f"{right:,} correct, {wrong:,} incorrect, {undecided:,} undecided, {_plural(error, 'error')}"
    yield f"| Verdicts | {_plural(made, 'attempt')}: {said} |"
    yield f"| Cut off by a limit | {cut:,} of {_plural(made, 'attempt')} ({100 * cut / made:.1f} %) |"
    texts = traces.drop_nulls("text_key").group_by("problem_id", "text_key").len()
    held, distinct = texts.select(pl.sum("len"), pl.len().alias("n")).collect(engine="streaming").row(0)
    yield f"In `traces`, {_plural(held, 'row')} with text hold {_plural(distinct, 'distinct text')}."
    if "preference" in frames:
        yield pairs(frames["preference"])
    for frame in frames.values():
        yield f"{_plural(frame.select(pl.len()).collect(engine='streaming').item(), 'row')} in "


def dropped(frames: Frames) -> dict[str, dict[str, int]]:
    """Of each config the rows that each of its rules dropped, as `drops` of `traces` says."""
    said = frames["traces"].select(pl.col("drops").explode()).drop_nulls().unnest("drops")
    counted = said.group_by("config", "rule").len().collect(engine="streaming")
    found: dict[str, dict[str, int]] = {}
    for config, rule, count in counted.rows():
        found.setdefault(config, {})[rule] = count
    return found


def wrong(release: Path, tokenizer: Path | None = None) -> list[str]:
    """The numbers of a release's card that its shards do not give, in a sentence each; of tokens with a tokenizer."""
    made: dict[str, Any] = json.loads((release / "release" / "manifest.json").read_text("utf-8"))
    frames = {
        name: pl.scan_parquet([release / file["path"] for file in config["files"]], glob=False)
        for name, config in made["configs"].items()
    }
    text = (release / "README.md").read_text("utf-8").partition("\n---\n")[2]
    found = [f"README.md: lacks what the shards give: {line!r}" for line in lines(frames) if line not in text]
    for heading, body in tables(text):
        for start, (skipped, count) in TABLES.items():
            if heading.startswith(start):
                found += _differing(heading, body, skipped, count(frames))
        if tokenizer and (budget := re.fullmatch(r"Config \| Rows \| Tokens .* More than ([\d,]+)", heading)):
            found += _differing(heading, body, 1, tokens(frames, tokenizer, int(budget[1].replace(",", ""))))
    return found + list(_funnel(text, frames))


def tables(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Heading and rows of every table."""
    for each in re.findall(r"(?:^\|.*\|\n)+", text + "\n", re.MULTILINE):
        heading, _, *body = each.splitlines()
        # A pipe of a name is escaped.
        yield heading.strip("| "), [re.split(r"(?<!\\) \| ", row.removeprefix("| ").removesuffix(" |")) for row in body]


def _differing(heading: str, body: list[list[str]], skipped: int, counted: list[Row]) -> Iterator[str]:
    if len(body) != len(counted):
        yield f"README.md: the table '{heading}' has {len(body)} rows, the shards give {len(counted)}"
        return
    for cells, wanted in zip(body, counted, strict=True):
        shown = [part for cell in cells[skipped:] for part in cell.split(" to ")]
        for cell, value in zip(shown, wanted, strict=False):
            if not _same(cell, value):
                yield f"README.md: the table '{heading}', {cells[0]}: says {cell}, the shards give {value}"


def _same(cell: str, value: object) -> bool:
    if value is None:
        return cell in ("unknown", "*not recorded*")
    if not isinstance(value, int | float) or not re.fullmatch(r"-?[\d,.e+-]+(?: %)?", cell):
        return False
    said = float(cell.removesuffix(" %").replace(",", ""))
    if cell.endswith("%"):
        return abs(said - value) <= 0.0500001
    return said == value if isinstance(value, int) else abs(said - value) <= 1e-5 * max(1e-9, abs(value))


def _funnel(text: str, frames: Frames) -> Iterator[str]:
    """The funnel of every config: rows before and after follow from the rows of traces and from what was dropped."""
    by_config = dropped(frames)
    total = frames["traces"].select(pl.len()).collect(engine="streaming").item()
    for config, section in re.findall(r"^### (?:`)?(\w+)(?:`)?\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        standing, by_rule = total, dict(by_config.get(config, {}))
        for heading, body in tables(section.partition("Marked and not dropped")[0]):
            if heading == "Rule | Reason | Rows":
                for rule, wanted in by_config.get(config, {}).items():
                    said = sum(int(cells[-1].replace(",", "")) for cells in body if cells[0].strip("`") == rule)
                    if said != wanted:
                        yield f"README.md: the reasons of {config}, {rule}: {said:,} rows, `drops` has {wanted:,}"
            if not heading.startswith("Rule | Rows before"):
                continue
            for name, *cells in body:
                seen, gone, after = (int(cell.replace(",", "")) for cell in cells)
                if (seen, after) != (standing, standing - gone):
                    yield f"README.md: the funnel of {config} breaks at {name}: {seen:,}, {gone:,}, {after:,}"
                standing = after
                rule = name.strip("`").partition(" ")[0]
                by_rule[rule] = by_rule.get(rule, 0) - gone
            for rule, left in by_rule.items():
                if left:
                    yield f"README.md: the funnel of {config} says {-left:+,} rows of '{rule}' that `drops` does not"


def _plural(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def main(release: Path, tokenizer: Path | None = None) -> int:
    """Print what is wrong; 1 when something is."""
    found = wrong(release, tokenizer)
    print(*(found or [f"{release}: the numbers of the card are those of the shards"]), sep="\n")
    if not tokenizer and "\n## Tokens\n" in (release / "README.md").read_text("utf-8"):
        print("tokens were not counted: name the tokenizer's file behind the release")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
