"""What the pages in Markdown show (fenced blocks, links, pictures), and the scripts that make some of them."""

import importlib.util
import re
from pathlib import Path
from typing import Any, NamedTuple  # Any: a module that no import names

ROOT = Path(__file__).parent.parent


class Block(NamedTuple):
    """A fenced block of code."""

    kind: str
    """What stands after the fence: `sh`, `python`, …"""
    text: str
    before: str
    """The last line of prose above it."""


def read(page: str) -> str:
    """The text of a page, by its path in the repository."""
    return (ROOT / page).read_text("utf-8")


def blocks(page: str, *kinds: str) -> list[Block]:
    """The blocks of a page in order; all of them, or those of these kinds."""
    found, before, lines = [], "", iter(read(page).splitlines())
    for line in lines:
        if fence := re.match(r"(`{3,})(.*)", line):
            inside = []
            for each in lines:
                if each == fence[1]:
                    break
                inside.append(each + "\n")
            else:
                raise AssertionError(f"{page}: the block after {before!r} has no end")
            found.append(Block(fence[2], "".join(inside), before))
        elif line.strip():
            before = line
    return [block for block in found if not kinds or block.kind in kinds]


def script(name: str) -> Any:
    """A script of docs/ as a module: docs is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def targets(page: str) -> list[str]:
    """Where its links and pictures point, without those to other sites."""
    return [to for to in re.findall(r"\]\(([^)#]+)[^)]*\)", read(page)) if "://" not in to]
