"""A line of verifiers 0.2, 0.3 or 0.4, or of prime-rl, to rows.

A line is an Episode with its traces, or one bare Trace. A trace is a graph of messages; each path from a root
to a leaf is a branch, and a branch is a row. Read from raw JSON, never with verifiers' own models: 0.4 refuses
0.3's episodes and reads 0.2's traces as empty ones. `trace.version` stayed 1 throughout, so shapes are told
apart by their fields.

The parser *takes* what has a column out of the line. What is left, in the line's own shape, is `extra`: nothing
that a log says is lost, and nothing is stored twice. Three things are left out of `extra` because they can be
put back: token arrays (the side table's business), a trace's `task` when it equals its episode's, and messages
that a row holds whole.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar  # Any: JSON values

from synthetic.formats.attempt import score as number
from synthetic.formats.episode import decoded
from synthetic.formats.format import BadLine, Parsed, Place, Source
from synthetic.formats.line import NULL, Raw, keys, moment, value
from synthetic.formats.messages import take, take_message, take_tools
from synthetic.formats.private import public_errors, public_name, public_sampling
from synthetic.record import Json, canonical_json, problem_id, row_id, written

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

T = TypeVar("T")

TRUNCATED = frozenset(
    "max_turns max_input_tokens max_output_tokens max_total_tokens compaction_failed context_length".split()
)
"""Stop conditions that cut a rollout short, in 0.4's words and in those before it."""

STAMPED = frozenset("kind group_id policy_version".split())
"""Beside `env_name`, what only prime-rl says of a trace."""

# A task's fields that say how to run it; every other field is the task's own and goes to verification_info.
RUNNING = frozenset(
    "idx id name description prompt system_prompt image workdir agent_user skills network_allow network_block"
    " artifacts artifact_max_bytes timeout resources".split()
)

REPEATED_BYTES = 100_000
"""What is longer is not remembered from line to line."""


def recognises(line: bytes) -> bool:
    """Whether a line is an Episode (`traces`) or a Trace (`nodes` beside `rewards`)."""
    names = set(keys(line))
    return "traces" in names or {"nodes", "rewards"} <= names


def parse(line: bytes, source: Source, place: Place) -> Parsed:
    """The rows of an Episode or Trace line. Raises `BadLine`, or `ValueError` where strict JSON fails."""
    whole = decoded(line)
    is_episode = "traces" in whole
    rest: dict[str, Any] = whole if is_episode else {}
    traces = whole.pop("traces") if is_episode else [whole]

    common = dict(source.facts) | {"text_form": "native"}
    _take_run(rest, common)
    take(rest, common, episode_id="id", group_id=("group", "id"))
    same = all("task" in trace and trace["task"] == rest.get("task") for trace in traces)  # else agents have their own
    task = _take_task(rest, common, leave=not same)

    parsed = Parsed()
    for trace in traces:
        if same:
            trace.pop("task", None)
        _take_trace(trace, common, task, parsed)
    if not traces:
        _failed_before_any_trace(rest, common, task, parsed)
    elif rest.get("ok") is False and all(_is_ok(trace) for trace in traces):
        _fail(parsed.rows, rest.get("errors") or [])

    parsed.rows[0]["extra"] = rest | {"traces": traces} if is_episode else whole
    return parsed


# ---- one trace


def _take_trace(left: dict[str, Any], common: Mapping[str, Any], task: dict[str, Any] | None, parsed: Parsed) -> None:
    """Add the trace's rows to `parsed`; what has no column stays in `left`."""
    if "nodes" not in left:
        raise BadLine("a trace has no nodes")
    nodes = left["nodes"]
    row = dict(common)
    if "run_id" not in row:
        _take_run(left, row)  # 0.3 wrote `run` on the trace
    else:
        left.update({key: value(left[key]) for key in ("env", "run") if key in left})
    _take_stamps(left, row)
    take(left, row, trace_id="id", stop_condition="stop_condition")
    take(left, row, verifier_version=("verifiers", "version"))
    if not row.get("trace_id"):
        raise BadLine("a trace has no id")
    task = _take_task(left, row) or task
    if row["framework"] == "verifiers":
        row["framework_version"] = row.get("verifier_version")
    _identify(row, task, row["trace_id"])

    calls = [call for call in left.get("calls") or [] if isinstance(call, dict)]
    row["ok"] = _is_ok(left)
    row["errors"] = _errors(left.get("errors") or [])
    row["metrics"] = left.pop("metrics") if _is_table(left.get("metrics")) else None
    row["tools"] = take_tools(left)
    row["reward"], row["rewards"] = _take_rewards(left)
    row["verifier"] = f"verifiers/{row['env_id']}" if row.get("env_id") else "verifiers"
    row["generated_at"] = moment((left.get("timing") or {}).get("start"))
    agent = _take_agent(left, row)
    model = next((call["model"] for call in calls if call.get("model")), None) or agent.model
    row["model"] = public_name(model) if isinstance(model, str) else row.get("model")
    sampling = next((call["sampling"] for call in reversed(calls) if call.get("sampling")), None)
    row["sampling"] = (public_sampling(sampling) if sampling else agent.sampling) or None

    messages = [_take_message(node) for node in nodes]
    rejected = _rejected(nodes)
    limits = TRUNCATED
    if "calls" not in left:  # 0.2: finish_reason and usage stand on the nodes
        limits |= {"harness_timeout"}
        calls = [node | {"node": i} for i, node in enumerate(nodes) if node.get("sampled") is True]
    for branch, path in enumerate(paths(nodes) or [()]):
        sampled = [i for i, node in enumerate(path) if nodes[node].get("sampled") is True]
        parsed.sampled.append(sampled)
        parsed.rows.append(
            {
                **row,
                "row_id": row_id(row["trace_id"], branch),
                "branch": branch,
                "messages": [messages[node] for node in path],
                "num_prompt_messages": sampled[0] if sampled else len(path),
                "num_turns": len(sampled),
                "trainable": False if path and path[-1] in rejected else agent.trainable,
                **_ending(calls, path, row.get("stop_condition") in limits),
            }
        )


def _rejected(nodes: Sequence[Mapping[str, Any]]) -> set[int]:
    """Leaves that tried to compact the context and were not gone on from: such a branch is not trained on."""
    links = [(i, link) for i, node in enumerate(nodes) for link in node.get("semantic_parents") or ()]
    tried = {i for i, link in links if link.get("type") == "compaction_attempt"}
    return tried - {link.get("node") for _, link in links if link.get("type") == "compaction"}


def paths(nodes: Sequence[Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """Every root-to-leaf path, by node number, in the order of the leaves."""
    parents = [node.get("parent") for node in nodes]
    if any(p is not None and not (isinstance(p, int) and 0 <= p < i) for i, p in enumerate(parents)):
        raise BadLine("a node's parent does not stand before it")
    inner = set(parents)
    paths = []
    for leaf in range(len(nodes)):
        if leaf not in inner:
            path: list[int] = []
            node: int | None = leaf
            while node is not None:
                path.append(node)
                node = parents[node]
            paths.append(tuple(reversed(path)))
    return paths


def _ending(calls: Sequence[Mapping[str, Any]], path: Sequence[int], cut: bool) -> dict[str, Any]:
    """How the branch ended and what it cost, from the model calls that made its messages."""
    on_path = set(path)
    made = [call for call in calls if call.get("node") in on_path and not call.get("error")]
    succeeded = made or [call for call in calls if not call.get("error")]
    finish = succeeded[-1].get("finish_reason") if succeeded else None
    usage = [call["usage"] for call in made if isinstance(call.get("usage"), dict)]
    written = [u["completion_tokens"] for u in usage if isinstance(u.get("completion_tokens"), int)]
    read = usage[0].get("prompt_tokens") if usage else None
    return {
        "finish_reason": finish,
        "is_truncated": cut or finish == "length",
        "completion_tokens": sum(written) if written else None,
        "prompt_tokens": read + (usage[0].get("cached_input_tokens") or 0) if isinstance(read, int) else None,
    }


# ---- an episode without a trace, or with a failure that no trace shows


def _failed_before_any_trace(
    rest: dict[str, Any], common: dict[str, Any], task: dict[str, Any] | None, parsed: Parsed
) -> None:
    """One row for the attempt: pass rates need it."""
    episode = common.get("episode_id")
    if not episode:
        raise BadLine("an episode without traces has no id")
    row = dict(common) | {
        "trace_id": episode,
        "row_id": row_id(episode, 0),
        "branch": 0,
        "messages": [],
        "num_turns": 0,
    }
    row |= {"ok": False, "errors": _errors(rest.get("errors") or [])}
    row["verifier"] = f"verifiers/{row['env_id']}" if row.get("env_id") else "verifiers"
    _identify(row, task, episode)
    parsed.rows.append(row)
    parsed.sampled.append([])


def _fail(rows: list[dict[str, Any]], errors: list[Any]) -> None:
    """Mark rows of an episode that failed as a whole: what its traces say may be incomplete."""
    for row in rows:
        row |= {"ok": False, "errors": [*(row["errors"] or []), *(_errors(errors) or [])] or None}


def _is_ok(trace: Mapping[str, Any]) -> bool:
    """What the trace says; 0.2 did not say, but whether it was completed, and with which errors."""
    if "ok" in trace:
        return trace["ok"] is True
    return trace.get("is_completed", True) is True and not trace.get("errors")


def _errors(errors: list[Any]) -> list[dict[str, Any]] | None:
    return public_errors(error for error in errors if isinstance(error, dict)) or None if errors else None


# ---- taking


def _remembered(read: "_lru_cache_wrapper[T]", *raws: bytes) -> T:
    """What JSON says; from memory, where it is short and another line said the same."""
    return (read if sum(map(len, raws)) <= REPEATED_BYTES else read.__wrapped__)(*raws)


def _take_run(table: dict[str, Any], row: dict[str, Any]) -> None:
    """Environment, run, step and policy, from an episode or a trace."""
    raws = [bytes(table.get(key, b"")) for key in ("env", "run")]
    left, columns = _remembered(_run, *raws)
    table.update(left)
    row.update(columns)


@lru_cache(maxsize=64)  # a step's lines are of a few environments and policies
def _run(env: bytes, run: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is left of both, and the columns they fill. Not to be changed."""
    table: dict[str, Any] = {key: value(raw) for key, raw in (("env", env), ("run", run)) if raw}
    row: dict[str, Any] = {}
    take(table, row, env_id=("env", "id"), env_name=("env", "name"), run_id=("run", "id"))
    said = given if isinstance(given := table.get("run"), dict) else {}
    work = given if isinstance(given := said.get("work"), dict) else {}
    if (kind := work.get("type") or said.get("type")) in {"train", "eval"}:
        row["kind"] = kind
    if isinstance(said.get("name"), str):  # not taken: where a line has none, the column holds the folder's name
        row["run_name"] = public_name(said["name"])
    start, end = ("run", "work", "policy", "start"), ("run", "work", "policy", "end")
    take(table, row, of=(int,), step=("run", "step"))  # July 2026 had no `work`
    take(table, row, of=(int,), step=("run", "work", "step"), policy_start=start, policy_end=end)
    return table, row


class _Agent(NamedTuple):
    """Who made a trace, and by which settings where its calls do not say."""

    left: Raw = NULL
    columns: Mapping[str, Any] = {}
    model: Json = None
    sampling: Mapping[str, Any] = {}
    trainable: bool | None = None


def _take_agent(left: dict[str, Any], row: dict[str, Any]) -> _Agent:
    """The trace's agent; its name goes to its column."""
    if "agent" not in left:
        return _Agent()
    raw = bytes(left["agent"])
    agent = _remembered(_agent, raw)
    left["agent"] = agent.left
    row.update(agent.columns)
    return agent


@lru_cache(maxsize=64)  # a run has few
def _agent(raw: bytes) -> _Agent:
    """What an agent's JSON says; not to be changed."""
    table: dict[str, Any] = {"agent": value(raw)}
    columns: dict[str, Any] = {}
    take(table, columns, agent=("agent", "name"))
    speaker = table["agent"] or {}
    config = speaker.get("config") or {}
    trainable = given if isinstance(given := speaker.get("trainable"), bool) else None
    sampling = public_sampling(config.get("sampling") or {})
    return _Agent(written(table["agent"]), columns, config.get("model"), sampling, trainable)


def _take_stamps(left: dict[str, Any], row: dict[str, Any]) -> None:
    """What prime-rl stamps on a trace: in July 2026 all that episodes say now, first beside `info` and then in it.

    A log that was copied out of its run looks like one of vf-eval's: there the stamps tell whose it is.
    """
    info = given if isinstance(given := left.get("info"), dict) else {}
    if row["framework"] != "prime-rl" and any("env_name" in at and STAMPED & at.keys() for at in (left, info)):
        row["framework"] = "prime-rl"
    if row["framework"] != "prime-rl":
        return
    for stamps in (left, info):
        if (kind := stamps.get("kind")) in {"train", "eval"}:
            row["kind"] = kind
        if "episode_id" not in row:
            take(stamps, row, env_name="env_name", group_id="group_id")
            take(stamps, row, of=(int,), policy_start="policy_version")
    if "step" not in row:
        dispatch = given if isinstance(given := info.get("dispatch"), dict) else {}
        take(dict(dispatch), row, of=(int,), step="step")
    if "eval_step" in left:
        take(dict(left), row, of=(int,), step="eval_step")  # the path has the step at which a slow evaluation ended


def _take_task(table: dict[str, Any], row: dict[str, Any], *, leave: bool = False) -> dict[str, Any] | None:
    """The task's own fields into columns; the task as it was, for the problem's identity.

    `leave` copies instead of moving: an agent with a task of its own fills the columns of its rows with that.
    """
    if "task" not in table:
        return None
    raw = bytes(table["task"])
    task, left, columns = _remembered(_task, raw)
    table["task"] = task if leave else left
    row.update(columns)
    return task if columns else None


@lru_cache(maxsize=64)  # the attempts at a problem repeat its task
def _task(raw: bytes) -> tuple[Json, Json, dict[str, Any]]:
    """A task, what is left of it when its own fields are taken, and the columns they fill. Not to be changed."""
    task = value(raw)
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        return task, task, {}
    data = task["data"]
    own = {key: data[key] for key in data if key not in RUNNING}
    answer = own.get("answer")
    named = {"type": task.get("type"), "name": data.get("name"), "description": data.get("description")}
    columns = {
        "verification_info": own or None,
        "ground_truth": answer if isinstance(answer, str) or answer is None else canonical_json(answer),
        "metadata": {key: text for key, text in named.items() if text} or None,
    }
    left = task | {"data": {key: data[key] for key in data if key in RUNNING}}
    return task, written(left), columns


def _identify(row: dict[str, Any], task: dict[str, Any] | None, episode: str) -> None:
    """Set problem_id and native_problem_id."""
    data = (task or {}).get("data") or {}
    native = next(
        (str(key) for key in ((task or {}).get("key"), data.get("id"), data.get("idx")) if key is not None),
        None,
    )
    row["native_problem_id"] = native
    row["problem_id"] = problem_id(
        env=row.get("env_id") or row.get("env_name"),
        prompt=data.get("prompt"),
        ground_truth=row.get("ground_truth"),
        native=native,
        group=row.get("group_id"),
        episode=row.get("episode_id") or episode,
    )


def _take_rewards(left: dict[str, Any]) -> tuple[float | None, list[dict[str, Any]] | None]:
    """Total reward and scorers. A null scorer makes the total null; so does having none. Raises `BadLine` for words.

    0.2 wrote plain numbers, already weighted: they count with weight 1.
    """
    rewards = left.get("rewards")
    if not isinstance(rewards, dict) or not rewards:
        return None, None
    scorers, exact = [], True
    for name, given in rewards.items():
        score = number(given.get("score") if isinstance(given, dict) else given)
        weight = given.get("weight") if isinstance(given, dict) else (None if given is None else 1.0)
        weight = float(weight) if isinstance(weight, int | float) else None
        exact &= given is None or (weight is not None and given == {"score": score, "weight": weight})
        scorers.append({"name": name, "score": score, "weight": weight})
    if exact:
        del left["rewards"]
    parts = [s["score"] * s["weight"] for s in scorers if s["score"] is not None and s["weight"] is not None]
    total = sum(parts) if len(parts) == len(scorers) else math.nan
    return (total if math.isfinite(total) else None), scorers


def _take_message(node: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(node.get("message"), dict):
        raise BadLine("a node has no message")
    return take_message(node["message"])


def _is_table(candidate: Json) -> bool:
    return isinstance(candidate, dict) and bool(candidate)
