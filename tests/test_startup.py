"""`import synthetic` and `synthetic --help` stay light: heavy libraries load when a command needs them."""

import subprocess
import sys

import pytest

HEAVY = {"datasets", "huggingface_hub", "jinja2", "msgspec", "numpy", "pandas", "polars", "pyarrow", "rich"}


def imported(*arguments: str) -> set[str]:
    """The top-level packages that a fresh interpreter imports when it runs with these arguments."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    # import time:       137 |        402 |   polars.series
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.split("|")[-1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [("-c", "import synthetic"), ("-m", "synthetic.cli", "--help")])
def test_nothing_heavy_is_imported(arguments):
    packages = imported(*arguments)
    assert "synthetic" in packages
    assert packages & HEAVY == set()


def test_a_heavy_import_would_be_seen():
    assert {"json", "msgspec"} <= imported("-c", "import json, msgspec")
