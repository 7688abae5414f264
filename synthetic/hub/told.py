"""What a push did or would do, in lines for people and as plain values."""

from collections.abc import Iterator
from typing import Any  # plain values

from synthetic.hub import Pushed
from synthetic.hub.plan import Plan

MOST = 20
"""Files that are listed by name; the rest are counted."""

TITLES = {
    "pushed": "pushed",
    "tagged": "tagged: the commit was there already",
    "proposed": "proposed",
    "unchanged": "unchanged: the Hub holds this release already, nothing was sent",
    "planned": "planned (dry run: nothing was sent)",
}


def lines(done: Pushed) -> Iterator[tuple[str, str]]:
    """Lines of text, each with its style."""
    yield f"{TITLES[done.done]}  →  {done.url}", "bold"
    yield from ((f"  {text}", "") for text in _plan(done.plan, done=done.done != "planned"))
    if done.commit:
        yield f"  commit {done.commit}" + (f", tag {done.tag}" if done.tag else ""), ""
    yield from ((f"  ! {note}", "yellow") for note in done.notes)
    if done.done != "planned":
        yield "\nload it", "bold"
        yield "  from datasets import load_dataset", ""
        yield f"  {done.load}", ""
        if done.done == "proposed":
            yield "when it is merged, push again without --pr: that sets the tag", ""


def _plan(plan: Plan, *, done: bool) -> Iterator[str]:
    if plan.creates:
        made = "the repository was made" if done else "the repository is made first"
        yield f"{made}: {'public' if plan.public else 'private'}"
    if plan.is_empty:
        return
    yield (
        f"one commit to {plan.revision}: {len(plan.add):,} files added ({plan.add_bytes / 1e6:,.1f} MB),"
        f" {len(plan.unchanged):,} unchanged, {len(plan.delete):,} deleted"
    )
    named = [*(f"+ {file.path}" for file in plan.add), *(f"- {path}" for path in plan.delete)]
    yield from (f"  {name}" for name in named[:MOST])
    if len(named) > MOST:
        yield f"  … and {len(named) - MOST:,} more"
    if not done and plan.tag:
        yield f"then the tag {plan.tag} on that commit"


def plain(done: Pushed) -> dict[str, Any]:
    """For `--json`."""
    plan = done.plan
    return {
        "done": done.done,
        "repo": done.repo,
        "url": done.url,
        "commit": done.commit,
        "tag": done.tag,
        "load": done.load,
        "notes": list(done.notes),
        "plan": {
            "creates": plan.creates,
            "public": plan.public,
            "revision": plan.revision,
            "parent": plan.parent,
            "add": [{"path": file.path, "bytes": file.size, "sha256": file.sha256} for file in plan.add],
            "unchanged": list(plan.unchanged),
            "delete": list(plan.delete),
            "overwritten": list(plan.overwritten),
            "tag": plan.tag,
        },
    }
