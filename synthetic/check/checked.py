"""What a check found: every problem it saw, in a sentence each."""

from dataclasses import dataclass, field


@dataclass
class Checked:
    """What was checked, and what does not hold."""

    path: str
    kind: str
    """`release` or `store`."""
    files: int = 0
    rows: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is no mistake but worth knowing."""

    @property
    def holds(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def expect(self, holds: bool, problem: str) -> bool:
        """Note a problem unless something holds."""
        if not holds:
            self.problems.append(problem)
        return holds
