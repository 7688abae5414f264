"""Where a name points: a folder or file here, or a dataset on the Hub at a revision, brought into the Hub's own cache.

    my-release                     as it is
    org/name@v1.0.0                the tag; org/name@<commit> and org/name@<branch> too (in recipes commits alone)

Only what is asked for is downloaded, once: a revision that is in the cache is read from there, also without a network
where the revision is a whole commit. Only this module and `hub` use the network.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from synthetic.errors import HubFailed, RecipeError

_ON_THE_HUB = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@([\w./-]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def local(name: str | Path, patterns: Sequence[str] | None = None) -> Path:
    """The path that a name means; of a dataset on the Hub, the folder with the files that match `patterns` (None: all).

    A path that exists is given as it is, and so is one that could be no name on the Hub. The folder of a dataset has
    the commit as its name. Raises `HubFailed`.
    """
    path = Path(name)
    if path.exists():
        return path
    if not (match := _ON_THE_HUB.fullmatch(str(name))):
        return path
    repo, revision = match.groups()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        there = snapshot_download(
            repo, repo_type="dataset", revision=revision, allow_patterns=None if patterns is None else [*patterns]
        )
    except RevisionNotFoundError as error:
        raise HubFailed(
            f"{repo}: has no revision '{revision}' on the Hub", hint="name a tag, branch or commit"
        ) from error
    except LocalEntryNotFoundError as error:
        raise HubFailed(
            f"{name}: there is no such folder, and the Hub cannot be reached", hint="name a folder, or try again online"
        ) from error
    except HfHubHTTPError as error:
        # What the Hub says can hold the request's address: the status tells enough.
        status = error.response.status_code
        known = {401: "it asks for a token", 403: "the token may not read it", 404: "it has no such dataset"}
        hint = "look at its name; a private dataset needs `hf auth login`"
        raise HubFailed(f"{name}: the Hub answers {status}: {known.get(status, 'it failed')}", hint=hint) from error
    finally:
        if shown:
            enable_progress_bars()
    return Path(there)


def pinned(name: str, where: str) -> str:
    """The name, for a recipe: of a dataset on the Hub only at a whole commit, which nobody can move.

    Raises `RecipeError` that names the commit at which the revision stands now, or `HubFailed`.
    """
    match = _ON_THE_HUB.fullmatch(name)
    if Path(name).exists() or match is None or _COMMIT.fullmatch(match[2]):
        return name
    commit = local(name, []).name
    raise RecipeError(
        f"{where}: '{name}' can become another one; a recipe names a whole commit", hint=f'"{match[1]}@{commit}"'
    )


def without_revision(name: str | Path) -> str | None:
    """The name, where it can only mean a dataset on the Hub and says no revision."""
    text = str(name)
    return text if _NAME.fullmatch(text) and not Path(text).exists() and not Path(text).parent.exists() else None
