"""What a release holds, and the proof: `release/manifest.json`.

It is written last: a folder without one is an unfinished release. Nothing in it depends on the clock, the machine or
the path, so the same store, recipe and versions give the same bytes. `root` is a hash over the rows alone: it stays the
same when another version of the Parquet writer gives other bytes.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any  # a config's schema as JSON

import msgspec

from synthetic.errors import BrokenRelease
from synthetic.splits import SPLITS

PATH = Path("release/manifest.json")
FORMAT = "synthetic-release-1"

INDEX = "release/index/rows.parquet"
"""Of every row what tells whether another release has it too."""


class Data(msgspec.Struct, frozen=True):
    """One Parquet file of a config."""

    path: str
    rows: int
    bytes: int
    sha256: str
    row_hash: str
    """SHA-256 over the values of the rows in order, whatever the Parquet writer."""

    @property
    def split(self) -> str:
        """The split whose rows it holds, by its name."""
        return PurePosixPath(self.path).name.partition("-")[0]


class Kept(msgspec.Struct, frozen=True):
    """One step of a config's funnel."""

    rule: str
    """The rule and its settings, as a reader sees them."""
    seen: int
    dropped: int
    flagged: int = 0
    """Rows that it marked and let stand."""


class Config(msgspec.Struct, frozen=True):
    """One config of the release."""

    title: str
    schema: str
    columns: list[dict[str, Any]]
    """name, type, null, doc of every column."""
    rows: int
    stood: int
    """Rows of `traces` that no rule left out: as many as rows, but where a row is made of several."""
    buckets: int
    """Files are cut by the leading bits of problem_id; a bucket without rows has no file."""
    funnel: list[Kept]
    files: list[Data]

    @property
    def splits(self) -> dict[str, int]:
        """The rows of each split that has any, in the order of `splits.SPLITS`."""
        rows: dict[str, int] = {}
        for data in self.files:
            rows[data.split] = rows.get(data.split, 0) + data.rows
        return {name: rows[name] for name in SPLITS if name in rows}


class Run(msgspec.Struct, frozen=True):
    """What came from one run's folder. Lines: captured + quarantined."""

    name: str
    formats: list[str]
    files: int
    captured: int
    quarantined: int
    selected: list[str] = []
    """What its logs leave out by how it was scored, in sentences."""


class Clash(msgspec.Struct, frozen=True):
    """Rows of a run that have the ids of other rows: of these the first are kept, whatever run they are of."""

    run: str | None
    kept: str | None
    """The run of the rows that are kept."""
    rows: int
    row_id: str
    """One of the ids."""
    at: str | None
    """Where the row that has it was read: its `log_file` and `log_offset`."""
    kept_at: str | None
    """The same of the row that is kept."""


class Input(msgspec.Struct, frozen=True):
    """One shard of the stores."""

    kind: str
    rows: int
    row_hash: str


class File(msgspec.Struct, frozen=True):
    """Any other file of the release."""

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a release holds."""

    name: str
    version: str
    license: str | None
    made_with: dict[str, str]
    """Versions of the packages that decide the bytes."""
    recipe: str
    """SHA-256 of release/recipe.toml."""
    runs: list[Run]
    inputs: list[Input]
    repeated: int
    """Rows that were captured more than once and count once."""
    conflicts: int
    """Those of them whose content differed; the first is kept."""
    configs: dict[str, Config]
    left_out: list[str]
    """Configs without a row."""
    files: list[File]
    root: str
    references: list[dict[str, Any]] = []
    """What rules compared rows with: kind, digest of its content, where it lay and at which revision."""
    clashes: list[Clash] = []
    """The rows whose content differed, by the runs that they and the kept ones are of."""
    format: str = FORMAT

    @property
    def default(self) -> str:
        """The config that `load_dataset` gives when none is named."""
        return next(iter(self.configs))


def root(configs: dict[str, Config]) -> str:
    """SHA-256 over path, rows and row hash of every Parquet file, in order."""
    whole = hashlib.sha256()
    for name in sorted(configs):
        for data in configs[name].files:
            whole.update(f"{data.path}\0{data.rows}\0{data.row_hash}\n".encode())
    return whole.hexdigest()


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode(manifest: Manifest) -> bytes:
    """The manifest as it is written."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read(release: Path) -> Manifest:
    """The manifest of a release's folder. Raises `BrokenRelease`."""
    path = release / PATH
    if not path.is_file():
        raise BrokenRelease(f"{release}: no release here (no {PATH})", hint=f"synthetic release STORE --to {release}")
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenRelease(f"{path}: not a manifest ({error})") from error
    if manifest.format != FORMAT:
        raise BrokenRelease(f"{path}: of the format {manifest.format!r}; this version reads {FORMAT!r}")
    return manifest


def is_release(folder: Path) -> bool:
    """Whether the folder is a finished release."""
    return (folder / PATH).is_file()


def unlisted(release: Path, manifest: Manifest) -> list[str]:
    """Files in a release's folder that its manifest does not list."""
    listed = {str(PATH), *(file.path for file in manifest.files)}
    listed |= {data.path for config in manifest.configs.values() for data in config.files}
    there = (
        path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    return sorted(name for name in there if name not in listed)
