"""Copies and near-copies: how many there are, and pairs side by side."""

import dataclasses
from typing import TYPE_CHECKING, Any  # values of JSON

from rich.table import Table
from rich.text import Text

from synthetic.show import page

if TYPE_CHECKING:
    from synthetic.dedupe import Deduped, Explained, Twins, Words


def deduped(found: "Deduped", explained: "Explained | None") -> None:
    """What the rules against copies would drop."""
    copies = found.exact + found.near
    share = f" ({copies / found.rows:.1%})" if found.rows else ""
    page.line(f"{copies:,} of {page.rows(found.rows)}{share} repeat another, of {found.problems:,} problems", "bold")
    table = page.columns("  environment", "#rows", "#copies", "#near-copies")
    for env, *counts in found.environments.iter_rows():
        page.add(table, f"  {env or '–'}", *counts)
    page.show_table(table)
    if found.uncompared:
        page.line(f"  {found.uncompared:,} rows have too many candidates to be compared with all; they stay", "yellow")
    if found.similar:
        page.line("\n  near-copies by Jaccard similarity")
        most = max(rows for _, rows in found.similar)
        for low, rows in found.similar:
            page.line(f"    {low:.2f}  {'█' * max(1, round(30 * rows / most))} {rows:,}")
    if len(found.groups) > 1 or any(rows > 1 for _, rows in found.groups):
        page.line("\n  most repeated")
        for keeper, rows in found.groups:
            page.line(f"    {rows:,} × {keeper}")
    for twins in found.pairs:
        _side_by_side(twins)
    if explained:
        _explained(explained)
    page.line("\nto do it, add to `keep` in a recipe:")
    for line in found.toml:
        page.line(f"  {line}")


def _side_by_side(twins: "Twins") -> None:
    page.line(f"\n  Jaccard {twins.jaccard:.2f}, containment {twins.containment:.2f}", "dim")
    table = Table(box=None, padding=(0, 2, 0, 2), expand=True)
    for title in (f"{twins.keeper} stays", f"{twins.row} goes"):
        table.add_column(page.shown(title), ratio=1, overflow="fold")
    if any(alone for _, alone in (*twins.stays, *twins.goes)):
        table.add_row(_words(twins.stays, "green"), _words(twins.goes, "red"))
    else:
        table.add_row(_words(twins.stays, "green"), Text("the same words", "dim"))
    page.show_table(table)


def _words(words: "Words", style: str) -> Text:
    """What stands in one text alone in brackets, for those who see no colours."""
    parts = [
        Text(f"[{page.shown(text)}]", f"bold {style}") if alone else Text(page.shown(text)) for text, alone in words
    ]
    return Text(" ").join(parts)


def _explained(explained: "Explained") -> None:
    page.line("\n  pairs that are looked at, by their Jaccard similarity (the S-curve)")
    for similarity, chance in explained.curve:
        page.line(f"    {similarity:.2f}  {'█' * round(30 * chance)} {chance:.1%}")
    page.line("\n  what edits leave, where each token is replaced with that probability")
    table = page.columns("  edited", "#similarity", "#looked at")
    for edit, similarity, chance in explained.edits:
        page.add(table, f"  {edit:.0%}", f"{similarity:.2f}", f"{chance:.1%}")
    page.show_table(table)


def deduped_json(found: "Deduped", explained: "Explained | None") -> dict[str, Any]:
    """For `--json`."""
    plain = {
        f.name: getattr(found, f.name) for f in dataclasses.fields(found) if f.name not in {"environments", "pairs"}
    }
    plain |= {
        "environments": found.environments.to_dicts(),
        "pairs": [dataclasses.asdict(pair) for pair in found.pairs],
    }
    return plain | ({"explained": dataclasses.asdict(explained)} if explained else {})
