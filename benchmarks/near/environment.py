"""The peers' own Python environment: what is pinned, and how it is made.

Kept apart because they want other versions than we do: datatrove 0.10.1 fails with xxhash 4 ("Strings must be encoded
before hashing"), daft 0.7.26 wants pyarrow below 26, text-dedup 0.4 an older rich and urllib3.
"""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import msgspec

PINS = (
    "datatrove==0.10.1",
    "text-dedup==0.4.0",
    "rensa==0.5.0",
    "datasketch==2.0.0",
    "daft==0.7.26",
    "xxhash==3.8.2",
    "pyarrow==25.0.1",
    "numpy==2.4.6",
    "scipy==1.17.1",
    "datasets==5.2.0",
    "regex==2026.11.19",  # datatrove's tokenisers import these two
    "tokenizers==0.23.3",
    "msgspec==0.22.0",  # ours, to report by
)

STAMP = "peers.json"
"""Written last: a folder without it is an unfinished environment."""


def python(folder: Path, pins: Sequence[str] = PINS) -> Path:
    """The Python of the environment in `folder`, which is made when it is not there. 1.5 GB, about three minutes."""
    made, stamp = folder / "bin" / "python", folder / STAMP
    wanted = msgspec.json.encode(list(pins))
    if not stamp.is_file() or stamp.read_bytes() != wanted:
        print(f"installing the peers into {folder}", file=sys.stderr, flush=True)
        venv.create(folder, with_pip=False, clear=True)  # our pip fills it: not every Python has one to put into it
        pip: list[str | Path] = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            made,
            "install",
            "--quiet",
            "--no-input",
            *pins,
        ]
        subprocess.run(pip, check=True)  # noqa: S603
        stamp.write_bytes(wanted)
    return made.absolute()


def versions(of: Path) -> dict[str, str]:
    """What is installed of the pinned packages, by the environment's own word."""
    names = [pin.partition("==")[0] for pin in PINS]
    ask = f"import json; from importlib.metadata import version; print(json.dumps({{n: version(n) for n in {names}}}))"
    done = subprocess.run([of, "-c", ask], check=True, capture_output=True)  # noqa: S603
    return msgspec.json.decode(done.stdout, type=dict[str, str])
