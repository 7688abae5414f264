"""What must hold before anything leaves: a release, a name that the Hub takes, a licence, no secret."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthetic import manifest, privacy
from synthetic.errors import BrokenRelease, PushRefused, SecretFound
from synthetic.hub import cards
from synthetic.hub import plan as plans
from synthetic.manifest import Manifest
from synthetic.relicense import changed_texts
from synthetic.stage import Progress
from synthetic.store import Store

SHOWN = 10
"""Places of secrets that are named; the rest are counted."""


def licensed(path: Path, repo: str, license: str | None) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest, and the files that another licence changes, for a release that may go to `repo`.

    Raises `PushRefused`, `BrokenRelease`, `RecipeError`.
    """
    if not _is_name(repo):
        within = "/".join(repo.rstrip("/").split("/")[-2:])  # of an address
        again = shlex.join(["synthetic", "push", str(path), within if _is_name(within) else "org/name"])
        raise PushRefused(
            f"{repo!r} is no repository: it takes org/name, each of at most 96 letters, digits, '-', '_' and '.',"
            " without '--' and '..' and with a letter or digit at both ends",
            hint=again,
        )
    if not manifest.is_release(path):
        if Store(path).exists():
            raise BrokenRelease(
                f"{path}: is a store, and a push takes a release",
                hint=shlex.join(["synthetic", "release", str(path), "--to", "my-release"]),
            )
        if not path.is_dir():
            raise BrokenRelease(f"{path}: there is no such folder", hint="synthetic export RUN --to my-release")
    made = manifest.read(path)
    cards.check_license(license or made.license, shlex.join(["synthetic", "push", str(path), repo]))
    texts = changed_texts(path, license) if license else {}
    return plans.earlier(texts.get(str(manifest.PATH))) or made, texts


def _is_name(repo: str) -> bool:
    """Whether the Hub takes it for a repository's name."""
    part = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9])?"
    whole = re.fullmatch(f"{part}/{part}", repo) is not None
    return whole and "--" not in repo and ".." not in repo and not repo.endswith(".git")


def card(path: Path, texts: Mapping[str, bytes]) -> str:
    """The text of the card. Raises `BrokenRelease`."""
    try:
        return (texts.get("README.md") or (path / "README.md").read_bytes()).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenRelease(f"{path}/README.md: cannot be read ({error})", hint=f"synthetic check {path}") from error


def check_secrets(
    path: Path, made: Manifest, secrets: Mapping[str, str], texts: Mapping[str, bytes], progress: Progress
) -> None:
    """Raise `SecretFound` when the release holds what looks like a secret."""
    found = privacy.scan(path, made, secrets=secrets, texts=texts, progress=progress)
    if found:
        # A row stands in `traces` and perhaps in another config: it is named once.
        places = {(f.row or f.file, f.column, f.pattern): f for f in found}.values()
        more = f" … and {len(places) - SHOWN} more places" if len(places) > SHOWN else ""
        raise SecretFound(
            f"{path}: nothing was sent; what looks like a secret stands in "
            + "; ".join(str(finding) for finding in [*places][:SHOWN])
            + more,
            hint=_way_out(found),
        )


def _way_out(found: Sequence[privacy.Finding]) -> str:
    """What to do about findings: `traces` holds every row of the store, so no rule of a recipe takes one out of it."""
    in_rows = any(finding.file.startswith("data/") for finding in found)
    then = "take it out of the logs, capture them into a new store" if in_rows else "take it out of the recipe"
    said = f"revoke what has leaked, {then} and release again"
    names = sorted({finding.pattern.rpartition("$")[2] for finding in found if "$" in finding.pattern})
    return said + (f"; if ${names[0]} is no secret, run again without that variable" if names else "")
