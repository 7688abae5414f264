"""What the scorers of an inspect_ai sample said, as columns.

`C` and `I` are the log's own words for right and wrong. Every other score (a partial answer, no answer, numbers,
lists, words) is no verdict: numbers go to `rewards`, and everything that a scorer said to `verification_result`.
"""

from collections.abc import Mapping, Sequence
from typing import Any  # JSON values

from synthetic.formats.attempt import score, told
from synthetic.formats.format import BadLine
from synthetic.record import Json

LETTERS = {"C": True, "I": False}


def take_scores(left: dict[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
    """Columns from a sample's `scores`: scorers, verdict and reward, and all that was said, but for `history`.

    Paths and addresses are masked in what was said; what was masked stays in `left` as it was.
    """
    scores = {name: said for name, said in table(left.get("scores")).items() if isinstance(said, dict)}
    rewards: list[dict[str, Any]] = []
    for name, said in scores.items():
        parts = given if isinstance(given := said.get("value"), dict) else {"": given}
        rewards += [
            {"name": f"{name}.{part}" if part else name, "score": _number(one), "weight": None}
            for part, one in parts.items()
        ]
    letters = {LETTERS.get(said["value"]) for said in scores.values() if said.get("value") in ("C", "I", "P", "N")}
    public = {}
    for name, said in scores.items():
        words = {key: given for key, given in said.items() if key != "history"}
        public[name] = {key: told(key, given) for key, given in words.items()}
        left["scores"][name] = {key: said[key] for key in said if key not in words or public[name][key] != words[key]}
        if not left["scores"][name]:
            del left["scores"][name]
    return {
        "recorded_verdict": letters.pop() if len(letters) == 1 else None,
        "rewards": rewards or None,
        "reward": _chosen(scores, rewards, head),
        "verification_result": public or None,
    }


def _number(given: Json) -> float | None:
    if isinstance(given, str) and given in LETTERS:
        return float(LETTERS[given])
    try:
        return score(given) if not isinstance(given, dict) else None
    except BadLine:  # a word or a list is a score too, only no number
        return None


def _chosen(scores: Mapping[str, Any], rewards: Sequence[Mapping[str, Any]], head: Mapping[str, Any]) -> float | None:
    """The score of the only scorer, of the one that the task calls its headline, or of the only one with `C` or `I`."""
    numbers: dict[str | None, float | None] = {scorer["name"]: scorer["score"] for scorer in rewards}
    if len(numbers) == 1:
        return next(iter(numbers.values()))
    headline = table(table(head.get("eval")).get("headline_metric"))
    judges = [name for name, said in scores.items() if said.get("value") in ("C", "I")]
    named = [headline[key] for key in ("score", "scorer") if headline.get(key) in numbers]
    chosen = named[0] if named else judges[0] if len(judges) == 1 else None
    return numbers.get(chosen)


def table(given: Json) -> dict[str, Any]:
    """A JSON object; of anything else, an empty one."""
    return given if isinstance(given, dict) else {}
