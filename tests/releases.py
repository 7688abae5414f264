"""Small stores, releases of them, and commands, for the tests of what a user sees."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any  # a row's values

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import synthetic
from synthetic.record import digest
from synthetic.store import Store
from tests.rows import Row, said, store_of, trace

ROOT = Path(__file__).parent.parent
LOGS = ROOT / "tests" / "logs"
RUN = LOGS / "prime_rl_a"


def attempt(problem: int, number: int, **columns: Any) -> Row:
    """The attempt of that number at a problem: `p3-1` is the second at problem 3. Right unless said otherwise."""
    name = f"p{problem}-{number}"
    row: Row = {
        "problem_id": digest(f"problem {problem}"),
        "recorded_verdict": True,
        "reward": 1.0,
        "env_id": "sums",
        "completion_tokens": 10 + number,
        "messages": [
            said("user", f"What is {problem} + {problem}?"),
            said("assistant", f"{name}: {2 * problem}", reasoning_content=f"{problem} twice"),
        ],
    }
    return trace(name, **(row | columns))


def attempts(problems: int = 12) -> list[Row]:
    """Six attempts at each problem: three right ones of which two are alike, a wrong, a failed and a cut one."""
    rows = []
    for problem in range(problems):
        twin = attempt(problem, 0)["messages"]
        rows += [
            attempt(problem, 0),
            attempt(problem, 1, messages=twin),
            attempt(problem, 2),
            attempt(problem, 3, recorded_verdict=False, reward=0.0),
            attempt(problem, 4, ok=False, recorded_verdict=None, reward=None, errors='[{"type":"Timeout"}]'),
            attempt(problem, 5, is_truncated=True, recorded_verdict=False, finish_reason="length"),
        ]
    return rows


def store(folder: Path, *shards: Sequence[Row]) -> Path:
    """A store of these shards; give its folder."""
    return store_of(folder, *(shards or (attempts(),))).path


def captured(folder: Path, run: Path = RUN) -> Path:
    """A store of a run's logs; give its folder."""
    synthetic.capture(run, into=folder)
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its SHA-256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def config_rows(release: Path, config: str = "sft_verified") -> pl.DataFrame:
    """The rows of a config, in the order of its files."""
    return pl.read_parquet(sorted((release / "data" / config).glob("*.parquet")))


def beside(folder: Path) -> list[str]:
    """The names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def command(*arguments: str | Path, cwd: Path = ROOT, **more: Any) -> "subprocess.CompletedProcess[str]":
    """The command, as a user runs it, from a folder; its output is no terminal."""
    line = [sys.executable, "-m", "synthetic.cli", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | more.pop("env", {})
    settings: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 120, "cwd": cwd} | more
    return subprocess.run(line, env=environment, check=False, **settings)


def copied(release: Path, folder: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(release, folder))


def rewritten(file: Path, change: Any) -> None:
    """Write a Parquet file anew, its table changed by `change`, its footer as it was."""
    table = pq.read_table(file)
    changed: pa.Table = change(table).cast(table.schema)
    pq.write_table(changed, file)


def first_shard(folder: Path) -> Path:
    """The path of a store's first shard."""
    return Store(folder).shards()[0].path


def recipe(folder: Path, top: str, name: str = "r") -> Path:
    """The default recipe with these lines."""
    path = folder / f"{name}.toml"
    lists = '\n[sft_verified]\nkeep = [{rule = "verified"}, {rule = "unique"}]'
    keep = "" if "keep =" in top else 'keep = [{rule = "finished"}]\n'
    path.write_text(f'{keep}{top}\n{lists}\n[sft_unverified]\nkeep = [{{rule = "finished"}}, {{rule = "undecided"}}]\n')
    return path
