"""The folder of a release while it is made: is it free, built beside, put in place when it is whole.

    my-release            the release, or nothing yet
    .my-release.partial   the next one; an interrupted run of the same plan goes on with it
    .my-release.old       the one before, for the moment between two renames

Nothing that no release wrote is ever replaced or removed.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from synthetic import manifest, shard
from synthetic.errors import CannotWrite, TargetTaken
from synthetic.manifest import Config

FREE = "name a folder that is not there yet"


def store_beside(to: str | Path) -> Path:
    """Where the facts of a release lie when nothing else is said: beside it, never inside."""
    return Path(f"{Path(to)}.store")


def check(to: str | Path, name: str, stores: Sequence[str | Path]) -> Path:
    """The folder of a release of that name, links resolved. Raises `TargetTaken`, `CannotWrite`.

    It must be free, or a release of the same name and nothing else.
    """
    try:
        target = Path(to).resolve()
        if not target.name or target == Path.cwd():
            raise TargetTaken(f"{to}: no folder that a release can replace", hint=FREE)
        for store in stores:
            if target in (there := Path(store).resolve()).parents or target == there:
                raise TargetTaken(f"{to}: the store {store} lies in it", hint="a store lies beside its release")
        if _old(target).exists() and not target.exists():  # stopped between two renames: the old release is whole
            _old(target).rename(target)
        _check_free(to, target, name)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that go in circles
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotWrite(f"{to}: {said}", hint="choose another folder") from error
    return target


def _check_free(to: str | Path, target: Path, name: str) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not manifest.is_release(target):
        raise TargetTaken(f"{to}: exists and is no release", hint=FREE)
    there = manifest.read(target)
    if there.name != name:
        raise TargetTaken(f"{to}: holds the release '{there.name}', not '{name}'", hint=FREE)
    if foreign := manifest.unlisted(target, there):
        some = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "")
        raise TargetTaken(
            f"{to}: holds {len(foreign)} files that no release wrote: {some}",
            hint="move them away, or name another folder",
        )


@contextmanager
def building(target: Path, plan: str) -> Iterator[Path]:
    """The folder to build the release in, for this process alone.

    What an interrupted run of the same plan left is still there; of another plan, nothing. Raises `TargetTaken` while
    another process builds.
    """
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    lock = os.open(partial, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TargetTaken(f"{target}: another release is being made there", hint="wait for it to end") from error
        noted = partial / "plan"
        if not noted.is_file() or noted.read_bytes() != plan.encode():
            for left in partial.iterdir():
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            (partial / "release").mkdir()
            noted.write_bytes(plan.encode())
        yield partial
    finally:
        os.close(lock)


def finished(partial: Path, config: str) -> Config | None:
    """What an interrupted run noted of a config that it finished."""
    try:
        return msgspec.json.decode((partial / f"{config}.done.json").read_bytes(), type=Config)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def note_finished(partial: Path, config: str, written: Config) -> None:
    """Note that a config is finished."""
    (partial / f"{config}.done.json").write_bytes(msgspec.json.encode(written))


def put(partial: Path, target: Path, manifest_bytes: bytes) -> bool:
    """Finish a release that was built, and put it in the place of the one that is there; give whether it differs."""
    for note in (*partial.glob("*.done.json"), partial / "plan"):
        note.unlink()
    (partial / manifest.PATH).write_bytes(manifest_bytes)  # last: without it the release is unfinished
    for top, _, names in os.walk(partial):
        for name in names:
            with (Path(top) / name).open("rb") as file:
                os.fsync(file.fileno())
        shard.sync_folder(Path(top))
    same = manifest.is_release(target) and (target / manifest.PATH).read_bytes() == manifest_bytes
    old = _old(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shard.sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)
    return not same


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")
