"""What a log says that no release may repeat: paths, addresses and sampling settings that hold them.

Only columns that are published pass through here; the original stays in `extra`, which is never published.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any  # JSON values

# Numbers of generation, by the names that providers use. Anything else in a sampling table may hold a private
# thing.
SAMPLING = frozenset(
    "temperature top_p top_k min_p max_tokens max_completion_tokens n seed reasoning_effort frequency_penalty"
    " presence_penalty repetition_penalty stop".split()
)

_ADDRESS = re.compile(r"""\b[a-z][a-z0-9+.-]*://[^\s"'<>)\]}]+""", re.IGNORECASE)
_SECRET = re.compile(
    r"\b\w*(?:KEY|TOKEN|SECRET|PASSWORD)\w*\s*=\s*\S+|\b(?:sk|hf|pk|ghp|xox[bp])[-_]\w[\w-]{3,}",
    re.IGNORECASE,
)
_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*(?::\S*)?")
_HOST = re.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\[[0-9a-f:]{3,}\](?::\d+)?|\blocalhost(?::\d+)?"
    r"|(?<![\w:])(?:[0-9a-f]{1,4}:)*(?:[0-9a-f]{1,4})?::(?:[0-9a-f]{1,5}:?)*(?![\w:])",
    re.IGNORECASE,
)
_NAMED_HOST = re.compile(
    r"\b(?:[a-z0-9-]+\.)+(?:internal|local|lan|corp|svc|cluster|intranet)\b(?::\d+)?", re.IGNORECASE
)
_PORT = re.compile(
    r"\b[a-z0-9][\w.-]*:\d{4,5}\b|\b(?:[a-z0-9-]+\.)+[a-z]{2,}:\d{2,5}\b|(?<=host=)['\"]?[^'\",)\s]+['\"]?"
    r"|(?<=host )[\w.-]+(?::\d+)?|(?<=server )[\w-]+(?:\.[\w-]+|:\d)[\w.:-]*|\b(?:[a-z0-9-]+\.){2,}[a-z]{2,}\b",
    re.IGNORECASE,
)
# An apostrophe behind two letters quotes nothing: it stands in a word.
_PATH = re.compile(
    r"""(?<=(?<!\w\w)')[^'\n]*/[^'\n]*(?=')|(?<=")[^"\n]*/[^"\n]*(?=")|\$\w+(?:/[\w.@+=-]*)+|//[\w.-]+/[\w./@+=-]*"""
    r"""|(?<![\w/])(?:~|/(?=[\w.]))[\w.@+-]*(?:/[\w.@+=-]*)+|(?<!\w)[A-Za-z]:[\\/][^\s"'<>|]+|\\\\[^\s"'<>|]+"""
)


def masked(text: str) -> str:
    """The text with secrets, addresses, hosts and paths replaced by `[secret]`, `[address]` and `[path]`.

    In doubt it masks: an error's type and status code say most of what a reader needs.
    """
    text = _SECRET.sub("[secret]", text)
    text = _PATH.sub("[path]", _ADDRESS.sub("[address]", text))
    for host in (_MAIL, _HOST, _NAMED_HOST, _PORT):
        text = host.sub("[address]", text)
    return text


def public_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Type, status code and masked message of each error; never a traceback."""
    return [
        {
            "type": kind if re.fullmatch(r"[\w.]+", kind := str(error.get("type") or "Error")) else masked(kind),
            "status_code": error.get("status_code") if isinstance(error.get("status_code"), int) else None,
            "message": masked(str(error.get("message") or "")),
        }
        for error in errors
    ]


@lru_cache(maxsize=1024)
def public_name(name: str) -> str:
    """A name of a model, an environment or a run; of a path or an address, the last part only."""
    if name.startswith(("/", "~", ".", "$")) or "\\" in name or re.search(r"://|^\w+:/|@[\w.-]+:", name):
        return re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return name


def public_sampling(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of generation that are known by name and set."""
    return {name: setting for name, setting in sampling.items() if name in SAMPLING and setting is not None}
