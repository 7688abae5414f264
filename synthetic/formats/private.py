"""What a log says that no release may repeat: paths, addresses and sampling settings that hold them.

Only columns that are published pass through here; the original stays in `extra`, which is never published.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any  # JSON values

# Numbers of generation, by the names that providers use. Anything else in a sampling table may hold a private
# thing.
SAMPLING = frozenset(
    "temperature top_p top_k min_p max_tokens max_completion_tokens n seed reasoning_effort frequency_penalty"
    " presence_penalty repetition_penalty stop".split()
)

_ADDRESS = re.compile(r"""\b[a-z][a-z0-9+.-]*://[^\s"'<>)\]}]+""", re.IGNORECASE)
_HOST = re.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b|\[[0-9a-f:]{3,}\](?::\d+)?|\blocalhost(?::\d+)?", re.IGNORECASE
)
_NAMED_HOST = re.compile(
    r"\b(?:[a-z0-9-]+\.)+(?:internal|local|lan|corp|svc|cluster|intranet)\b(?::\d+)?", re.IGNORECASE
)
_PORT = re.compile(r"\b[a-z0-9][\w.-]*:\d{4,5}\b|(?<=host=)['\"]?[^'\",)\s]+['\"]?", re.IGNORECASE)
_PATH = re.compile(r"""(?<![\w/<])(?:~|/(?=[\w.]))[\w.@+-]*(?:/[\w.@+=-]*)+|(?<!\w)[A-Za-z]:\\[^\s"'<>|]+""")


def masked(text: str) -> str:
    """The text with addresses, hosts and paths replaced by `[address]` and `[path]`."""
    text = _ADDRESS.sub("[address]", text)
    for host in (_HOST, _NAMED_HOST, _PORT):
        text = host.sub("[address]", text)
    return _PATH.sub("[path]", text)


def public_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Type, status code and masked message of each error; never a traceback."""
    return [
        {
            "type": str(error.get("type") or "Error"),
            "status_code": error.get("status_code") if isinstance(error.get("status_code"), int) else None,
            "message": masked(str(error.get("message") or "")),
        }
        for error in errors
    ]


def public_name(name: str) -> str:
    """The name of a model or an environment; of a path on the machine that ran it, the last part only."""
    if name.startswith(("/", "~", ".")) or "\\" in name or "://" in name:
        return re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return name


def public_sampling(sampling: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of generation that are known by name and set."""
    return {name: sampling[name] for name in sorted(SAMPLING & sampling.keys()) if sampling[name] is not None}
