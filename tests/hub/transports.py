"""The two ways of a large file to the Hub: LFS, and Xet, which the default install of huggingface_hub takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Transport:
    """A transport, and the points of the server (`POINTS`) that play the same part on either."""

    name: str
    ask: str
    """Where the client learns where to send to."""
    send: str
    """What brings the bytes."""
    stores: tuple[str, ...]
    """The writing calls of one file, in order."""

    @property
    def environment(self) -> dict[str, str]:
        """For a process of its own: the client reads it once, when it is imported."""
        return {"HF_HUB_DISABLE_XET": str(int(self.name == "lfs"))}


TRANSPORTS = {
    "lfs": Transport("lfs", ask="batch", send="put", stores=("put",)),
    "xet": Transport("xet", ask="access", send="xorb", stores=("xorb", "register")),
}
