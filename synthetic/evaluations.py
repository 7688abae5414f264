"""Evaluation sets as files: their questions, one row for each item, whatever their columns are called.

A recipe says where a set lies and which columns hold what; for common sets `pipelines/evaluations/common.toml` knows
the columns. Sets are small and read whole.
"""

import tomllib
from collections.abc import Mapping, Set
from functools import cache
from pathlib import Path

import polars as pl

from synthetic.errors import RecipeError, UnreadableLog
from synthetic.fetch import local, pinned
from synthetic.record import canonical_json, digest
from synthetic.resources import folder

KEYS = {
    "path": "a file (JSON lines, JSON, CSV, Parquet), a folder of such files, or org/name@<commit> on the Hub",
    "question": "the column of what is asked",
    "answer": "the column of the solution, where there is one",
    "id": "the column that names an item; without one it is the number of its row",
    "files": "which files of a folder or a repository, such as main/test-*.parquet; without it all that can be read",
}

ITEMS = {"set": pl.String, "item": pl.String, "question": pl.String, "answer": pl.String}
"""The columns of what is read."""

READERS = {
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".ndjson": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".json": lambda path: pl.read_json(path, infer_schema_length=None),
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".parquet": lambda path: pl.read_parquet(path, glob=False),
}


@cache
def common() -> dict[str, dict[str, str]]:
    """Where the text of common sets lies, by name."""
    text = (folder("pipelines") / "evaluations" / "common.toml").read_text("utf-8")
    return tomllib.loads(text)


def read(name: str, said: Mapping[str, str]) -> pl.DataFrame:
    """The items of a set: the columns of `ITEMS`; items without a question are left out.

    Raises `RecipeError` for a column that is not there and a revision that is no commit, `UnreadableLog` for files that
    cannot be read or hold nothing, `HubFailed`.
    """
    known = {key: value for key, value in common().get(name, {}).items() if key != "repo"} | dict(said)
    where = f'[evaluation."{name}"]'
    if "path" not in known:
        repo = common().get(name, {}).get("repo")
        some = f" --include '{known['files']}'" if "files" in known else ""
        hint = f'hf download {repo} --repo-type dataset{some} --local-dir {name}, then path = "{name}"'
        hint = hint if repo else 'path = "…"'
        raise RecipeError(f"{where}: says no path", hint=hint)
    if "question" not in known:
        raise RecipeError(f"{where}: names no column for the question", hint='question = "problem"')
    here, files = Path(known["path"]).exists(), known.get("files")
    if files is not None and (not files or files.startswith("/") or ".." in files):
        raise RecipeError(
            f"{where}: files = '{files}' names no files within a folder", hint='files = "*/test-*.parquet"'
        )
    path = local(pinned(known["path"], f"{where}, path"), [files] if files else [f"*{suffix}" for suffix in READERS])
    if files and here and "files" not in said and not (path.is_dir() and any(path.glob(files))):
        files = None  # only we say that there are such files: a folder may hold them under other names
    maybe = known.keys() - said.keys() - {"question"}
    found = [_items(name, file, known, maybe, where) for file in _files(path, files, where)]
    items = pl.concat(found).with_columns(pl.coalesce("item", pl.int_range(pl.len()).cast(pl.String)).alias("item"))
    items = items.filter(pl.col("question").str.strip_chars().str.len_bytes() > 0)
    if items.is_empty():
        raise UnreadableLog(f"{known['path']}: the evaluation set '{name}' has no item with a question")
    return items


def _files(path: Path, pattern: str | None, where: str) -> list[Path]:
    if path.is_file():
        if pattern:
            raise RecipeError(f"{where}: {path} is a file, and `files` names some of a folder", hint="leave one out")
        if path.suffix.lower() not in READERS:
            raise UnreadableLog(f"{where}: {path}: of no known kind; these are read: {', '.join(READERS)}")
        return [path]
    every = path.glob(pattern) if pattern else path.rglob("*")
    found = sorted(file for file in every if file.is_file() and file.suffix.lower() in READERS)
    if not found:
        kinds = ", ".join(READERS) + (f"; files = '{pattern}'" if pattern else "")
        what = f"no file to read in it ({kinds})" if path.is_dir() else "there is no such file or folder"
        raise UnreadableLog(f"{where}: {path}: {what}")
    return found


def _items(name: str, file: Path, said: Mapping[str, str], maybe: Set[str], where: str) -> pl.DataFrame:
    """The items of one file; a column of `maybe`, which only we say that there is, may be missing."""
    try:
        rows = READERS[file.suffix.lower()](file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableLog(f"{where}: {file}: cannot be read ({str(error).partition(chr(10))[0]})") from error
    columns = []
    for key in ("id", "question", "answer"):
        out = "item" if key == "id" else key
        column = said.get(key)
        if column is None or (key in maybe and column not in rows.columns):
            columns.append(pl.lit(None, pl.String).alias(out))
            continue
        if column not in rows.columns:
            raise RecipeError(f"{where}: {file.name} has no column '{column}'; it has {rows.columns}")
        if rows[column].dtype.is_nested():
            raise RecipeError(f"{where}: the column '{column}' of {file.name} holds no text: {rows[column].dtype}")
        columns.append(pl.col(column).cast(pl.String).alias(out))
    return rows.select(pl.lit(name).alias("set"), *columns)


def content(items: pl.DataFrame) -> str:
    """A hash of items, whatever file they came from."""
    return digest(canonical_json([list(row) for row in items.iter_rows()]))
