"""Another licence for a release that is finished: its recipe, card and manifest are written anew, its data stay.

The release is built again beside itself, with links to the files that do not change, and takes its own place when it is
whole (`target`): at any moment the folder holds the old release or the new one.
"""

import os
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import msgspec
import polars as pl

from synthetic import card, manifest, recipe, stats
from synthetic import target as targets
from synthetic.counted import open_configs
from synthetic.errors import BrokenRelease, CannotWrite, TargetTaken
from synthetic.manifest import File, Manifest
from synthetic.record import digest

RECIPE = "release/recipe.toml"


def relicense(folder: str | Path, license: str) -> Manifest:
    """Give the release in `folder` this licence; give its new manifest. A release that has it already stays as it is.

    Raises `RecipeError` (no identifier of a licence), `BrokenRelease`, `TargetTaken`, `CannotWrite`.
    """
    texts = changed_texts(folder, license)
    if not texts:
        return manifest.read(Path(folder))
    target = _replaceable(folder, manifest.read(Path(folder)).name)
    try:
        with targets.building(target, digest(texts[str(manifest.PATH)])) as partial:
            for source in sorted(target.rglob("*")):
                to = partial / source.relative_to(target)
                if source.is_dir():
                    to.mkdir(exist_ok=True)
                elif source.relative_to(target).as_posix() not in texts:
                    _link(source, to)
            for path, text in texts.items():
                (partial / path).write_bytes(text)
            targets.put(partial, target, texts[str(manifest.PATH)])
    except OSError as error:
        raise CannotWrite(
            f"{error.filename or folder}: {error.strerror or error}", hint="make room, then run again"
        ) from error
    return manifest.read(target)


def changed_texts(folder: str | Path, license: str) -> dict[str, bytes]:
    """The files that another licence changes, by path, as they would be written; none: the release has that licence.

    Raises as `relicense` does.
    """
    path = Path(folder)
    made = manifest.read(path)
    try:
        was = recipe.parse((path / RECIPE).read_text("utf-8"), where=RECIPE, name=made.name)
        numbers = stats.numbers(open_configs(path, made.configs))
    except (OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as error:
        raise BrokenRelease(f"{folder}: cannot be read ({error})", hint=f"synthetic check {folder}") from error
    read = was.with_(license=license)
    if read.license == made.license:
        return {}
    recipe_text = read.toml().encode()
    made = msgspec.structs.replace(made, license=license, recipe=sha256(recipe_text).hexdigest())
    texts = {RECIPE: recipe_text} | {name: text.encode() for name, text in card.texts(made, numbers, read).items()}
    _replaceable(folder, made.name)
    for file in made.files:
        if file.path in texts and _digest(path / file.path) != file.sha256:
            raise BrokenRelease(
                f"{folder}: {file.path}: its bytes are not those of the manifest, and another licence writes it anew",
                hint=f"synthetic check {folder}; release again if it was edited",
            )
    files = [_listed(file, texts) for file in made.files]
    return texts | {str(manifest.PATH): manifest.encode(msgspec.structs.replace(made, files=files))}


def _replaceable(folder: str | Path, name: str) -> Path:
    """The folder, which is replaced whole. Raises `TargetTaken`, `CannotWrite`."""
    if Path(folder).resolve() == Path.cwd():
        raise TargetTaken(
            f"{folder}: is where this command runs, and another licence replaces the folder whole",
            hint="run it from the folder above",
        )
    return targets.check(folder, name, ())


def _digest(file: Path) -> str | None:
    """SHA-256 of a file; None: there is none."""
    return manifest.sha256(file) if file.is_file() else None


def _listed(file: File, texts: Mapping[str, bytes]) -> File:
    """The file as the new manifest lists it."""
    text = texts.get(file.path)
    return file if text is None else File(file.path, len(text), sha256(text).hexdigest())


def _link(source: Path, to: Path) -> None:
    """The file again under another name, without a copy of its bytes where the file system can."""
    to.unlink(missing_ok=True)
    try:
        os.link(source, to)
    except OSError:  # no hard links there
        shutil.copyfile(source, to)
