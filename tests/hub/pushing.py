"""Releases to push, a pusher, and what stands on a Hub afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any  # settings of a push

import polars as pl

import synthetic
from synthetic import hub as hubs
from synthetic import manifest, recipe
from synthetic.hub import Pushed
from synthetic.hub.remote import Patience
from tests.hub.server import Hub
from tests.hub.transports import Transport
from tests.releases import store
from tests.rows import Row

REPO = "ana/sums"


def released(
    folder: Path,
    rows: Sequence[Row],
    version: str = "1.0.0",
    license: str | None = "mit",
    bucket_bytes: int = 2000,
    name: str = "sums",
) -> Path:
    """A release of these rows, cut in several files."""
    read = recipe.read(None, name=name).with_(version=version, license=license)
    synthetic.release(store(folder / "store", rows), to=folder / name, recipe=read, bucket_bytes=bucket_bytes)
    return folder / name


class Pusher:
    """Pushes to a Hub as ana, and remembers how long it was told to wait."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.waits: list[float] = []
        self.token = hub.token()

    def __call__(self, folder: Path, repo: str = REPO, **more: Any) -> Pushed:
        patience = Patience(tries=4, first_seconds=0.01, answer_seconds=20, sleep=self.waits.append)
        settings: dict[str, Any] = {"token": self.token, "endpoint": self.hub.url, "patience": patience} | more
        return hubs.push(folder, repo, **settings)


def shards(folder: Path) -> list[str]:
    """The files of a release that the Hub keeps as large ones: Parquet and pictures; Parquet first."""
    kept = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in (".parquet", ".png")]
    return sorted(kept, key=lambda path: (path.endswith(".png"), path))


def row_ids(folder: Path) -> list[str]:
    """The rows of a release's default config."""
    made = manifest.read(folder)
    return sorted(pl.read_parquet([folder / data.path for data in made.configs[made.default].files])["row_id"])


def remote_tree(hub: Hub, revision: str = "main", repo: str = REPO) -> Mapping[str, str]:
    """Every file at a revision, by its SHA-256; without the one that the Hub itself makes."""
    return {path: blob.sha256 for path, blob in hub.repos[repo].at(revision).tree.items() if path != ".gitattributes"}


LOAD = f"""
import datasets, json, sys
for revision in sys.argv[1:]:
    for streaming in (True, False):
        rows = datasets.load_dataset({REPO!r}, split="train", revision=revision, streaming=streaming)
        print(json.dumps(sorted(row["row_id"] for row in rows)))
"""


def loaded(hub: Hub, token: str, home: Path, transport: Transport, *revisions: str) -> list[list[str]]:
    """The rows that `datasets` reads of the default config at each revision, streaming and then not."""
    there = {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(home)}
    line = [sys.executable, "-c", LOAD, *revisions]
    environment = os.environ | there | transport.environment
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(row_ids) for row_ids in done.stdout.splitlines()]
