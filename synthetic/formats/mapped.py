"""A line read by a column map: which attempts it holds, and which of its values go into which columns."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any  # JSON values

import msgspec

from synthetic.formats.attempt import add, message, right, score, text, told
from synthetic.formats.column_map import LATE, TEXTS, Given, Map, Value, is_yes_or_no
from synthetic.formats.format import BadLine, Parsed, Place, Source
from synthetic.formats.line import moment, value
from synthetic.formats.messages import NAMES, take_message
from synthetic.formats.private import public_errors, public_name, public_sampling
from synthetic.formats.rendered import conversation
from synthetic.record import Json, canonical_json, digest, record


def parse(read: Map, line: bytes, source: Source, place: Place) -> Parsed:
    """The rows of a line. Raises `BadLine`."""
    return _Line(read, source, place).parse(line)


def at(inside: Json, path: str) -> Json:
    """The value at a path of members and numbers of elements; null where there is none. A key may have dots itself."""
    if isinstance(inside, dict) and path in inside:
        return inside[path]
    step, dot, rest = path.partition(".")
    if isinstance(inside, dict):
        inner = inside.get(step)
    elif isinstance(inside, list) and step.lstrip("-").isdigit() and -len(inside) <= int(step) < len(inside):
        inner = inside[int(step)]
    else:
        return None
    return at(inner, rest) if dot else inner


def first(inside: Json, paths: str | list[str]) -> Json:
    """The value at the first path where there is one."""
    for path in [paths] if isinstance(paths, str) else paths:
        if (found := at(inside, path)) is not None:
            return found
    return None


class _Line:
    """A line while it is read."""

    def __init__(self, read: Map, source: Source, place: Place) -> None:
        self.map, self.source, self.place = read, source, place
        self.parsed = Parsed()
        self.equal: Counter[str] = Counter()
        """How often the line gave a hashed id."""

    def parse(self, line: bytes) -> Parsed:
        whole = value(line)
        if not isinstance(whole, dict):
            raise BadLine("not an object")
        whole = {key: given for key, given in whole.items() if key not in self.map.skip}
        # Texts that the rows hold whole are not kept twice.
        texts = {how for name, how in self.map.columns.items() if name in TEXTS and isinstance(how, str)}
        twice = texts & whole.keys()
        for index, attempt in enumerate(_attempts(self.map, _opened(whole, self.map.json))):
            taken_apart = self.row(attempt, index)
            twice = {key for key in twice if not taken_apart and _is_whole(attempt.get(key))}
        if not self.parsed.rows:
            raise BadLine("the line holds no attempt")
        self.parsed.rows[0]["extra"] = {key: given for key, given in whole.items() if key not in twice}
        return self.parsed

    def row(self, attempt: Mapping[str, Json], index: int) -> bool:
        """Add the row of an attempt, and its late facts; gives whether its texts were taken apart."""
        read = self.map
        given = {column: self.given(column, how, attempt, index) for column, how in read.columns.items()}
        messages, prompted, form = _messages(given)
        turns = None
        match given:
            case {"prompt": str(asked), "response": str(answer)} if read.rendered:
                turns = conversation(asked + answer)
                if turns:
                    messages = [message(turn.role, turn.content) for turn in turns]
                    # A turn that begins in the prompt and ends in the response is the response's.
                    prompted = sum(turn.ended for turn in conversation(asked) or ())
        columns: dict[str, Any] = {"text_form": form}
        for column in given.keys() - set(TEXTS):
            columns[column] = _as(column, read.columns[column], given[column])
        columns |= self.scored(columns.get("reward"), attempt, index)
        late = {column: columns.pop(column) for column in LATE if column in columns}
        columns = {column: found for column, found in columns.items() if found is not None}
        row = add(self.parsed, self.source, self.place, messages, prompted, index=index, **columns)
        self.parsed.late += [(row["trace_id"], None, key, fact) for key, fact in late.items() if fact is not None]
        return bool(turns)

    def scored(self, reward: float | None, attempt: Mapping[str, Json], index: int) -> dict[str, Any]:
        """Scorers, their sum where it is the reward, and metrics. A reward without scorers is one."""
        read = self.map
        columns: dict[str, Any] = {}
        scorers = {name: self.given(name, how, attempt, index) for name, how in read.rewards.items()}
        if read.reward_keys:
            numbers = (key for key, given in attempt.items() if given is None or isinstance(given, bool | int | float))
            scorers |= {key: attempt[key] for key in numbers if re.fullmatch(read.reward_keys, key)}
        if not scorers and (how := read.columns.get("reward")) is not None:
            columns["rewards"] = [{"name": _named(how), "score": reward, "weight": 1.0}]
        elif scorers:
            weight = 1.0 if read.reward == "sum" else None
            columns["rewards"] = [{"name": n, "score": score(s), "weight": weight} for n, s in scorers.items()]
            parts = [one["score"] for one in columns["rewards"]]
            given = [part for part in parts if part is not None]
            if given and (read.reward == "sum of given" or (read.reward == "sum" and given == parts)):
                columns["reward"] = sum(given)
        metrics = {name: score(self.given(name, how, attempt, index)) for name, how in read.metrics.items()}
        columns["metrics"] = {name: found for name, found in metrics.items() if found is not None} or None
        return columns

    def given(self, column: str, how: Given, attempt: Mapping[str, Json], index: int) -> Json:
        if not isinstance(how, Value):
            return first(attempt, how)
        if how.path is not None:
            found = first(attempt, how.path)
            return sum(score(each) or 0 for each in found) if how.sum and isinstance(found, list) else found
        if how.file is not None:
            match = re.search(how.file, self.place.log_file)
            return match[match.re.groups and 1] if match else None
        if how.hash is not None:
            values = [self.place.log_file if path == "{file}" else at(attempt, path) for path in how.hash]
            return self.hashed(values, numbered=column == "trace_id")
        return how.value if how.template is None else _filled(how.template, attempt, index)

    def hashed(self, values: list[Json], *, numbered: bool) -> str:
        id = digest(canonical_json([self.source.facts["framework"], self.source.run, *values]))
        if numbered:
            self.equal[id] += 1
            if (count := self.equal[id]) > 1:
                return digest(canonical_json([id, count]))
        return id


def _named(how: Given) -> str:
    """What a value is called where it stands."""
    path = how.path if isinstance(how, Value) else how
    path = path[0] if isinstance(path, list) else path
    return path.rpartition(".")[2] if path else "reward"


def _filled(template: str, attempt: Mapping[str, Json], index: int) -> str | None:
    parts = re.split(r"\{([^{}]*)\}", template)
    values = [index if path == "index" else at(attempt, path) for path in parts[1::2]]
    parts[1::2] = [str(text(each)) for each in values]
    return None if None in values else "".join(parts)


# ---- the attempts of a line


def _opened(given: Mapping[str, Json], keys: Iterable[str]) -> dict[str, Json]:
    """The object with the JSON that stands in the strings of these keys."""
    found = dict(given)
    for key in keys:
        if isinstance(inner := found.get(key), str):
            try:
                found[key] = value(inner.encode())
            except msgspec.DecodeError:
                continue
    return found


def _attempts(read: Map, whole: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """The attempts of a line, each as one flat object."""
    if read.line == "columns":
        yield from _rows_of_columns(read, whole)
        return
    if read.unwrap:
        whole = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in whole.items()}
    if read.within is None:
        yield whole
        return
    inner = at(whole, read.within)
    if not isinstance(inner, list) or not all(isinstance(one, dict) for one in inner):
        raise BadLine(f"{read.within} is no list of objects")
    for one in inner:
        yield {**whole, **one}


def _rows_of_columns(read: Map, whole: dict[str, Json]) -> Iterator[dict[str, Json]]:
    paths = {name: how for name, how in read.columns.items() if name in TEXTS and not isinstance(how, Value)}
    texts = {name: first(whole, how) for name, how in paths.items()}
    answers = texts.get("response", texts.get("messages"))
    if not isinstance(answers, list):
        yield whole
        return
    for name, given in texts.items():
        if isinstance(given, list) and len(given) != len(answers):
            raise BadLine(f"{len(answers)} responses, but {len(given)} of '{name}'")
    lists = {key: given for key, given in whole.items() if isinstance(given, list)}
    all_of_them = {key: given for key, given in whole.items() if key not in lists}
    own = {key: given for key, given in lists.items() if len(given) == len(answers)}
    for index in range(len(answers)):
        each = {key: given[index] for key, given in own.items()}
        yield all_of_them | _opened(each, own.keys() & set(read.json))


# ---- texts


def _messages(given: Mapping[str, Json]) -> tuple[list[dict[str, Any]], int, str]:
    """Messages, how many of them are the prompt, and whether the log had them as such."""
    if "messages" in given:
        messages = _chat(given["messages"], "user")
        answered = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
        return messages, answered, "native"
    prompt, response = _chat(given.get("prompt"), "user"), _chat(given.get("response"), "assistant")
    if isinstance(given.get("response"), str) and isinstance(given.get("reasoning"), str):
        response[0]["reasoning_content"] = given["reasoning"]
    if given.get("response") is None:
        raise BadLine("it has no response")
    native = isinstance(given.get("prompt"), list) and isinstance(given["response"], list)
    return [*prompt, *response], len(prompt), "native" if native else "parsed"


def _chat(given: Json, role: str) -> list[dict[str, Any]]:
    """Messages from a list of them, one of them, or a text that is one of that role."""
    match given:
        case None:
            return []
        case str():
            return [message(role, given)]
        case dict():
            return [take_message(dict(given))]
        case list() if all(isinstance(one, dict) for one in given):
            return [take_message(dict(one)) for one in given]
    raise BadLine(f"neither text nor messages: {canonical_json(given)[:80]}")


def _is_whole(given: Json) -> bool:
    """Whether messages made of it hold all of it."""
    if given is None or isinstance(given, str):
        return True
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        return False
    left = [dict(one) for one in given]
    for one in left:
        take_message(one)
    return not any(left)


# ---- values


def _as(column: str, how: Given, given: Json) -> Any:  # a value of the column's type
    """The value in the column's type; null where it has none of it. Raises `BadLine` for a number that is not one."""
    if column == "errors":
        return _errors(given)
    if column == "sampling":
        return (public_sampling(given) or None) if isinstance(given, dict) else None
    if column == "kind" and given not in {None, "train", "eval"}:
        raise BadLine(f"kind is train or eval, not {text(given)}")
    if column == "verification_result":
        return told(how if isinstance(how, str) else column, given)
    if isinstance(how, Value) and (how.right is not None or how.wrong is not None):
        return True if given in (how.right or ()) else False if given in (how.wrong or ()) else None
    convert = right if is_yes_or_no(column) else _TYPES.get(record()[column].type)
    found = convert(given) if convert and given is not None else given
    if isinstance(found, str) and column in {*NAMES, "model", "run_name"}:
        return public_name(found)
    return found


def _whole_number(given: Json) -> int | None:
    number = score(given)
    if number is not None and number != int(number):
        raise BadLine(f"no whole number: {canonical_json(given)[:80]}")
    return None if number is None else int(number)


def _time(given: Json) -> datetime | None:
    return datetime.fromisoformat(given).astimezone(UTC) if isinstance(given, str) else moment(given)


_TYPES: Mapping[str, Callable[[Json], Any]] = {
    "string": text,
    "i32": _whole_number,
    "i64": _whole_number,
    "f64": score,
    "timestamp": _time,
}
"""How values of a column's type are made; JSON is taken as it is."""


def _errors(given: Json) -> list[dict[str, Any]] | None:
    found = given if isinstance(given, list) else [given]
    return public_errors(e if isinstance(e, dict) else {"message": text(e)} for e in found if e) or None
