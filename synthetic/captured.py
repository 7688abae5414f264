"""What a capture did: every line of every log is accounted for."""

from dataclasses import dataclass, field


@dataclass
class Captured:
    """What a capture did. `seen = captured + quarantined + seen_before`, in lines."""

    store: str
    files: int = 0
    captured: int = 0
    quarantined: int = 0
    seen_before: int = 0
    rows: int = 0
    late_facts: int = 0
    token_rows: int = 0
    """Rows of the side table of tokens."""
    torn: list[str] = field(default_factory=list)
    """Logs whose last line has no newline yet: it waits for the next capture."""
    warnings: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    quarantine: list[str] = field(default_factory=list)
    """Files with the lines set aside."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why lines were set aside, and how many for each of the first reasons."""
    repaired: int = 0
    """Captured lines with a value that JSON has no word for: NaN, 1e999, half a surrogate pair."""
    refused: list[str] = field(default_factory=list)
    """Files that look like logs and cannot be read, and why: nothing was taken from them."""
    unknown: dict[str, list[str]] = field(default_factory=dict)
    """Files of JSON in which no format knows a line, and the keys of the first."""
    logs: dict[str, str] = field(default_factory=dict)
    """For each log, the format it was read as."""

    @property
    def seen(self) -> int:
        """Lines seen."""
        return self.captured + self.quarantined + self.seen_before
