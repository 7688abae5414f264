"""What a person can fix: one exception for each kind of mistake, drawn as a tree.

    SyntheticError
     ├── UnreadableLog     a run, a file or a whole format that cannot be read
     ├── RecipeError       a recipe, an expression or a setting that does not hold
     ├── BrokenStore       a store or a shard that is not what its footer says
     │    └── StoreBusy    another writer holds the store
     ├── BrokenRelease     a release that is not what its manifest says
     ├── NothingKept       every row was dropped
     ├── TargetTaken       the folder to write to belongs to something else
     ├── CannotWrite       no room, no permission
     ├── WorkerDied        a process that worked for this one has ended
     ├── PushRefused       a release, a repository or a token with which nothing is sent
     │    └── SecretFound  the release holds what looks like a secret
     └── HubFailed         the Hub did not answer, or holds other bytes than were sent

A message says where, what was found and what would work. A bad row is none of these: it is data, set aside and counted.
"""


class SyntheticError(Exception):
    """The base of everything raised on purpose.

    `hint` is what would work, as a command or a line to write; `option`, what the same command lacked.
    """

    def __init__(self, message: str, *, hint: str | None = None, option: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.option = option


class UnreadableLog(SyntheticError):
    """A run, a file or a whole format that cannot be read."""


class RecipeError(SyntheticError):
    """A recipe, an expression or a setting that does not hold."""


class BrokenStore(SyntheticError):
    """A store or a shard that is not what its footer says."""


class StoreBusy(BrokenStore):
    """Another writer holds the store."""


class BrokenRelease(SyntheticError):
    """A release that is not what its manifest says."""


class NothingKept(SyntheticError):
    """Every row was dropped."""


class TargetTaken(SyntheticError):
    """The folder to write to belongs to something else."""


class WorkerDied(SyntheticError):
    """A process that worked for this one has ended."""


class CannotWrite(SyntheticError):
    """There is no room or no permission to write."""


class PushRefused(SyntheticError):
    """A release, a repository or a token with which nothing is sent."""


class SecretFound(PushRefused):
    """The release holds what looks like a secret."""


class HubFailed(SyntheticError):
    """The Hub did not answer, or holds other bytes than were sent."""
