"""What a push would send and delete: the files of a release against those of a repository, without the network.

Only files that the release's manifest lists are ever sent, and only files that an earlier manifest of ours listed are
ever deleted.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import msgspec

from synthetic import manifest
from synthetic.errors import BrokenRelease, PushRefused
from synthetic.manifest import Manifest
from synthetic.splits import SPLITS


@dataclass(frozen=True)
class Sent:
    """A file of the release."""

    path: str
    size: int
    """In bytes."""
    sha256: str
    git: str
    """What git names its content by: the Hub compares small files so, and large ones by `sha256`."""
    source: Path | bytes = field(repr=False)
    """Where a shard lies; of every other file the content, so that what was checked is what is sent."""

    @property
    def is_shard(self) -> bool:
        """Whether it is uploaded before the commit that names it."""
        return isinstance(self.source, Path)


@dataclass(frozen=True)
class There:
    """A file of the repository."""

    path: str
    size: int
    """In bytes."""
    git: str
    sha256: str | None
    """None: a small file, which is known by `git` alone."""

    def holds(self, sent: Sent) -> bool:
        """Whether it has that content."""
        same = self.git == sent.git if self.sha256 is None else self.sha256 == sent.sha256
        return same and self.size == sent.size


@dataclass(frozen=True)
class Plan:
    """What a push does, in the order in which it does it."""

    repo: str
    creates: bool
    """Whether the repository is made first."""
    public: bool
    revision: str
    """The branch that the commit goes to: `main`, or `refs/pr/N`; `a new pull request`."""
    parent: str | None
    """The commit that this plan was made for; None: the repository is not there yet."""
    add: tuple[Sent, ...]
    unchanged: tuple[str, ...]
    delete: tuple[str, ...]
    """Files of an earlier release of ours that this one does not have."""
    tag: str | None
    """None: a pull request is tagged after it was merged."""
    overwritten: tuple[str, ...] = ()
    """Those of the files to add and to delete that somebody else wrote, or edited, on the Hub."""
    replaces: str | None = None
    """Name and version of the release that stands there, where it is another one or a newer version of this one."""

    @property
    def is_empty(self) -> bool:
        """Whether the repository holds the release already."""
        return not self.add and not self.delete

    @property
    def add_bytes(self) -> int:
        """The size of what is sent, if nothing of it was uploaded before."""
        return sum(file.size for file in self.add)


def files(folder: Path, made: Manifest, texts: Mapping[str, bytes]) -> tuple[Sent, ...]:
    """The files of a release, each with the bytes that its manifest says. Raises `BrokenRelease`.

    `texts` stand in for files that are about to be rewritten.
    """
    listed = {data.path: data.sha256 for config in made.configs.values() for data in config.files}
    listed |= {file.path: file.sha256 for file in made.files}
    # Pictures too: the Hub keeps binary files where it keeps large ones.
    shards = {path for path in listed if path.endswith((".parquet", ".png"))}
    sent, wrong = [], []
    for path, wanted in [*listed.items(), (str(manifest.PATH), None)]:
        place = folder / _inside(path)
        if path not in texts and (place.is_symlink() or not place.is_file()):
            wrong.append(f"{path}: is missing")
            continue
        try:
            found = _shard(path, place) if path in shards else _text(path, texts.get(path) or place.read_bytes())
        except OSError as error:
            raise BrokenRelease(f"{path}: cannot be read ({error.strerror or error})") from error
        if wanted not in (None, found.sha256):
            wrong.append(f"{path}: its bytes are not those of the manifest")
        sent.append(found)
    if wrong:
        raise BrokenRelease(f"{folder}: {'; '.join(wrong[:3])}", hint=f"synthetic check {folder}")
    return tuple(sorted(sent, key=lambda file: file.path))


def _inside(path: str) -> PurePosixPath:
    """The path, which must not lead out of the release. Raises `BrokenRelease`."""
    name = PurePosixPath(path)
    if name.is_absolute() or ".." in name.parts or "\\" in path or name.parts[:1] == (".git",):
        raise BrokenRelease(f"manifest: {path!r} is no path within a release")
    return name


def _shard(path: str, place: Path) -> Sent:
    size = place.stat().st_size
    content, git = hashlib.sha256(), _git(size)
    with place.open("rb") as file:
        while piece := file.read(1 << 20):
            content.update(piece)
            git.update(piece)
    return Sent(path, size, content.hexdigest(), git.hexdigest(), place)


def _text(path: str, content: bytes) -> Sent:
    git = _git(len(content))
    git.update(content)
    return Sent(path, len(content), hashlib.sha256(content).hexdigest(), git.hexdigest(), content)


def _git(size: int) -> "hashlib._Hash":
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def earlier(content: bytes | None) -> Manifest | None:
    """The manifest that a repository holds; None: it holds none of ours."""
    try:
        read = msgspec.json.decode(content or b"", type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return read if read.format == manifest.FORMAT else None


def changes(
    repo: str, sent: Sequence[Sent], made: Manifest, there: Iterable[There], before: Manifest | None
) -> tuple[tuple[Sent, ...], tuple[str, ...], tuple[str, ...]]:
    """What to add, what stands there already, what to delete.

    `before` is the manifest that the repository holds. Raises `PushRefused` when a file that no manifest of ours listed
    would be read as a part of the release.
    """
    found = {file.path: file for file in there}
    ours = {file.path for file in sent}
    add = tuple(file for file in sent if file.path not in found or not found[file.path].holds(file))
    missing = {file.path for file in add}
    listed = set() if before is None else manifest_paths(before)
    delete = tuple(sorted(path for path in found if path in listed - ours))
    foreign = sorted(
        path
        for path in found.keys() - ours - set(delete)
        if any(fnmatchcase(path, f"data/{config}/{split}-*.parquet") for config in made.configs for split in SPLITS)
    )
    if foreign:
        raise PushRefused(
            f"{repo}: holds {foreign[0]}, which no release of ours listed and readers would take for a part of it",
            hint="delete that file on the Hub, or push to another repository",
        )
    return add, tuple(sorted(ours - missing)), delete


def overwritten(
    changed: Iterable[str], there: Iterable[There], listed: Collection[str], written: Iterable[There] | None
) -> tuple[str, ...]:
    """Those of the changed files that stand in the repository with content that no release of ours wrote.

    `listed` are the paths of the earlier release, `written` its files as it wrote them; None: that is not known, and
    what it lists counts as written by it.
    """
    found = {file.path: file for file in there}
    ours = set(found.values() if written is None else written)
    return tuple(p for p in sorted(changed) if p in found and (p not in listed or found[p] not in ours))


def replaced(made: Manifest, before: Manifest | None) -> str | None:
    """The release that stands in the repository, unless it is an earlier version of this one."""
    if before is None or (before.name == made.name and _numbers(before) <= _numbers(made)):
        return None
    return f"{before.name} {before.version}"


def _numbers(made: Manifest) -> list[int]:
    return [int(part) if part.isdecimal() else 0 for part in made.version.split(".")]


def manifest_paths(made: Manifest) -> set[str]:
    """Every path that a manifest lists, its own too."""
    data = {data.path for config in made.configs.values() for data in config.files}
    return {str(manifest.PATH), *(file.path for file in made.files), *data}
