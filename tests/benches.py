"""A bench for tests: stores and a cache in a folder, recipes in a line, and what judging dropped and ran."""

from pathlib import Path

from synthetic import recipe
from synthetic.judged import Judged
from synthetic.run import Bench
from synthetic.store import Cache, Store
from tests.rows import rows_of, score, store_of, trace

RECIPE = """
{top}
[[keep]]
rule = "finished"
{keep}
[sft_verified]
keep = [{{ rule = "verified" }}{verified}]
[sft_unverified]
keep = [{{ rule = "undecided" }}{unverified}]
"""
UNIQUE = ', { rule = "unique" }'
MOST = ', {{ rule = "at_most", count = {} }}'


def read(top="", keep="", verified="", unverified=""):
    text = RECIPE.format(top=top, keep=keep, verified=verified, unverified=unverified)
    return recipe.parse(text, where="recipe", name="rows")


def right(id, **columns):
    return trace(id, rewards=[score("acc", 1.0)], **columns)


def wrong(id, **columns):
    return trace(id, rewards=[score("acc", 0.0)], **columns)


class Place:
    """A store and a cache that stay, and fresh benches on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = Cache(folder / "cache")

    def store(self, *shards, name="store") -> Store:
        return store_of(self.folder / name, *shards)

    def bench(self, read, *stores, **settings) -> Bench:
        return Bench(rows_of(*(stores or [Store(self.folder / "store")])), read, self.cache, **settings)

    def ran(self, read, **settings) -> list[str]:
        """The tasks that judging runs, which are not finished yet."""
        bench = self.bench(read, **settings)
        bench.judge_all()
        return bench.ran


def drops(bench: Bench, judged: Judged) -> dict[str, tuple[str, str]]:
    """Rule and reason of what a config leaves out, by row_id."""
    found = {}
    for place in range(len(bench.snapshot.traces)):
        ids = bench.frame(place, ["row_id"]).collect()["row_id"]
        said = judged.drops(place)
        assert said["position"].is_sorted()
        assert said["config"].unique().to_list() in ([], [judged.config])
        for position, rule, reason in said.select("position", "rule", "reason").iter_rows():
            assert ids[position] not in found, "dropped twice"
            found[ids[position]] = (rule, reason)
    assert len(found) + judged.kept == sum(bench.snapshot.rows)
    return found


def whole(bench: Bench) -> dict[str, dict[str, tuple[str, str]]]:
    """All drops of all configs."""
    return {config: drops(bench, judged) for config, judged in bench.judge_all().items()}


def many(number=200):
    """Rows of every fate."""
    return [
        trace(
            f"t{i:03d}",
            problem_id=f"p{i % 7}",
            text=f"answer {i % 11}",
            completion_tokens=None if i % 13 == 0 else i % 5,
            env_id="ab"[i % 2],
            is_truncated=[False, None, False, True][i % 4] if i % 3 == 0 else False,
            ok=i % 17 != 0,
            kind="eval" if i % 19 == 0 else "train",
            step=i // 50,
            reward=[0.0, 1.0, float("nan"), None][i % 4],
            rewards=[score("acc", [0.0, 1.0, 1.0, 0.5, None][i % 5])],
        )
        for i in range(number)
    ]


BUSY = {
    "verified": UNIQUE + MOST.format(3),
    "unverified": UNIQUE + MOST.format(2),
    "keep": '[[keep]]\nwhere = "step < 3"',
}
