"""A recipe: what a release holds, written as TOML.

The file is checked whole before anything is read: keys, rules, settings (against each rule's signature) and
expressions. `Recipe.toml` writes it back in one canonical form, which a release carries and which makes it again.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any  # TOML values

import tomli_w

from synthetic import evaluations, expression
from synthetic.errors import RecipeError
from synthetic.record import measured
from synthetic.resources import folder
from synthetic.rules import RULES, named
from synthetic.splits import Split
from synthetic.stage import Stage
from synthetic.views import VIEWS

THINKING = ("field", "inline")
ENVIRONMENT = {
    "task_type": "kind of task: math, code, logic, …",
    "domain": "field of the task",
    "source": "where the problems came from",
    "source_license": "licence of the source",
    "correct": "an expression over scorers, metrics and columns: true is correct, false incorrect, null undecided",
}
_TOP = (
    "name",
    "version",
    "description",
    "license",
    "thinking",
    "include_eval",
    "split",
    "tokens",
    "env",
    "evaluation",
    "keep",
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class Use:
    """A rule as a recipe uses it."""

    stage: Stage
    name: str
    """As the recipe names it: a rule of ours or `my_package:my_rule`."""
    settings: Mapping[str, Any]
    where: str = field(compare=False)
    """Its place in the recipe, for messages."""
    flag: bool = False
    """What it finds is marked, and not dropped."""

    @property
    def toml(self) -> dict[str, Any]:
        """As an entry of `keep`."""
        named = self.name == "where"
        entry = {"where": self.settings["matches"]} if named else {"rule": self.name, **self.settings}
        return entry | ({"flag": True} if self.flag else {})

    @property
    def text(self) -> str:
        """As a reader sees it: `at_most count = 4, per = problem_id`."""
        if self.name == "where":
            text = f"where {self.settings['matches']}"
        else:
            text = " ".join([self.name, ", ".join(f"{k} = {v}" for k, v in self.settings.items())]).strip()
        return f"{text} (flags only)" if self.flag else text


@dataclass(frozen=True)
class Tokens:
    """By what the tokens of a release's conversations are counted, for its card."""

    tokenizer: str
    """A file `tokenizer.json`."""
    budget: int = 131_072
    """Tokens of a context: rows that take more are counted."""


@dataclass(frozen=True)
class Recipe:
    """What a release holds."""

    name: str
    version: str = "1.0.0"
    description: str | None = None
    license: str | None = None
    """SPDX identifier; None = not set."""
    thinking: str = "field"
    """`field`: reasoning in reasoning_content; `inline`: in content, as `<think>…</think>`."""
    include_eval: bool = False
    split: Split = field(default_factory=Split)
    """Which problems are held out for validation."""
    tokens: Tokens | None = None
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What logs do not know of their environments, by env_id or env_name."""
    evaluations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Where evaluation sets lie and what their columns are called, by name."""
    keep: tuple[Use, ...] = ()
    """The rules that all configs for training begin with."""
    own: Mapping[str, tuple[Use, ...]] = field(default_factory=dict)
    """Each config's further rules, in order."""

    @property
    def correct(self) -> dict[str, str]:
        """The expression for each environment that has one."""
        return {env: table["correct"] for env, table in self.environments.items() if "correct" in table}

    def rules(self, config: str) -> tuple[Use, ...]:
        """All rules of a config, in the order in which they are applied."""
        view = VIEWS[config]
        if not view.takes_rules:
            return ()
        always = [
            Use(RULES[n], n, {}, "always") for n in view.always if not (n == "from_training" and self.include_eval)
        ]
        # A config that the recipe does not speak of holds what it must, by the defaults of its rules.
        own = self.own.get(config, tuple(Use(RULES[n], n, {}, f"[{config}]") for n in view.requires))
        return (*always, *(self.keep if view.prefix else ()), *own)

    def toml(self) -> str:
        """The recipe in its canonical form."""
        table: dict[str, Any] = {"name": self.name, "version": self.version}
        optional = {"description": self.description, "license": self.license}
        table |= {key: value for key, value in optional.items() if value is not None}
        table |= {"thinking": self.thinking, "include_eval": self.include_eval}
        if self.split != Split():
            table["split"] = asdict(self.split)
        if self.tokens:
            table["tokens"] = asdict(self.tokens)
        if self.environments:
            table["env"] = {env: dict(said) for env, said in self.environments.items()}
        if self.evaluations:
            table["evaluation"] = {name: dict(said) for name, said in self.evaluations.items()}
        table["keep"] = [use.toml for use in self.keep]
        table |= {config: {"keep": [use.toml for use in own]} for config, own in self.own.items()}
        return tomli_w.dumps(table)

    def with_(self, **changes: Any) -> "Recipe":
        """The recipe with other values; None changes nothing. Raises `RecipeError`."""
        changed = replace(self, **{key: value for key, value in changes.items() if value is not None})
        _check_values(changed, "the recipe")
        return changed


def builtin() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(folder("pipelines").glob("*.toml"))}


def read(recipe: str | Path | None, *, name: str) -> Recipe:
    """The recipe of that name or file; None: the default one. `name` is the release's name where it says none."""
    shipped = builtin()
    if recipe is None:
        path = shipped["default"]
    elif str(recipe) in shipped:
        path = shipped[str(recipe)]
    else:
        path = Path(recipe)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise RecipeError(
            f"there is no recipe '{recipe}': no file of that name, and none of {list(shipped)}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path}: cannot be read ({error})") from error
    return parse(text, where=f"recipe {path.name}", name=name)


def parse(text: str, *, where: str, name: str) -> Recipe:
    """The recipe that a TOML text is. Raises `RecipeError`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{where}: not TOML: {error}") from error
    configs = [config for config, view in VIEWS.items() if view.takes_rules]
    for key in table:
        if key == "traces":
            raise RecipeError(f"{where}: 'traces' takes no rules: it holds everything")
        if key not in _TOP and key not in configs:
            raise RecipeError(f"{where}: there is no key '{key}'; there are {[*_TOP, *configs]}")
    own = {}
    for config in configs:
        section = _table(table.get(config, {}), f"{where}, [{config}]")
        if unknown := section.keys() - {"keep"}:
            raise RecipeError(f"{where}, [{config}]: there is no key {sorted(unknown)[0]!r}; there is 'keep'")
        if config in table:
            own[config] = uses(section.get("keep", []), f"{where}, [{config}]")
    recipe = Recipe(
        name=table.get("name", name),
        split=_split(table.get("split", {}), where),
        tokens=_tokens(table["tokens"], where) if "tokens" in table else None,
        environments=_environments(table.get("env", {}), where),
        evaluations=_evaluations(table.get("evaluation", {}), where),
        keep=uses(table.get("keep", []), where),
        own=own,
        **{
            key: table[key] for key in ("version", "description", "license", "thinking", "include_eval") if key in table
        },
    )
    _check_values(recipe, where)
    for config in configs:
        listed = {use.name for use in recipe.rules(config) if not use.flag}
        for rule in VIEWS[config].requires:
            if rule not in listed:
                hint = f'[{config}] keep = [ {{ rule = "{rule}" }}, … ]'
                raise RecipeError(
                    f"{where}, [{config}]: its rules must contain '{rule}': {VIEWS[config].title}", hint=hint
                )
    return recipe


def _check_values(recipe: Recipe, where: str) -> None:
    for key in ("name", "version", "thinking"):
        if not isinstance(getattr(recipe, key), str):
            raise RecipeError(f"{where}: '{key}' is {getattr(recipe, key)!r}; it takes a string")
    for key in ("description", "license"):
        if not isinstance(getattr(recipe, key), str | None):
            raise RecipeError(f"{where}: '{key}' is {getattr(recipe, key)!r}; it takes a string")
    if not isinstance(recipe.include_eval, bool):
        raise RecipeError(f"{where}: 'include_eval' is {recipe.include_eval!r}; it takes true or false")
    if recipe.thinking not in THINKING:
        raise RecipeError(f"{where}: 'thinking' is '{recipe.thinking}'; it takes one of {list(THINKING)}")
    if not _VERSION.fullmatch(recipe.version):
        raise RecipeError(f"{where}: version '{recipe.version}' is not MAJOR.MINOR.PATCH, such as 1.0.0")
    if not _NAME.fullmatch(recipe.name):
        raise RecipeError(
            f"{where}: '{recipe.name}' is no name for a dataset: letters, digits, '.', '_' and '-', at most 96"
        )
    if recipe.license is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", recipe.license):
        raise RecipeError(f"{where}: license '{recipe.license}' is no identifier such as apache-2.0")


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{where}: {value!r} is no table")
    return value


def _split(value: Any, where: str) -> Split:
    place, known = f"{where}, [split]", [each.name for each in fields(Split)]
    for key in (said := _table(value, place)):
        if key not in known:
            raise RecipeError(f"{place}: there is no key '{key}'; there are {known}")
    share, salt = said.get("validation", 0.0), said.get("salt", "")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
        raise RecipeError(f"{place}: 'validation' is {share!r}; it takes a share of problems, from 0 to below 1")
    if not isinstance(salt, str):
        raise RecipeError(f"{place}: 'salt' is {salt!r}; it takes a string")
    return Split(float(share), salt)


def _tokens(value: Any, where: str) -> Tokens:
    place, known = f"{where}, [tokens]", [each.name for each in fields(Tokens)]
    said = _table(value, place)
    if unknown := said.keys() - set(known):
        raise RecipeError(f"{place}: there is no key '{min(unknown)}'; there are {known}")
    if not isinstance(said.get("tokenizer"), str):
        raise RecipeError(f"{place}: 'tokenizer' is {said.get('tokenizer')!r}; it takes the path of a tokenizer.json")
    budget = said.get("budget", Tokens.budget)
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 1:
        raise RecipeError(f"{place}: 'budget' is {budget!r}; it takes a number of tokens, such as 131072")
    return Tokens(said["tokenizer"], budget)


def _environments(value: Any, where: str) -> dict[str, dict[str, str]]:
    environments = {}
    for env, said in _table(value, f"{where}, [env]").items():
        place = f'{where}, [env."{env}"]'
        for key, text in _table(said, place).items():
            if key not in ENVIRONMENT:
                raise RecipeError(f"{place}: there is no key '{key}'; there are {list(ENVIRONMENT)}")
            if not isinstance(text, str):
                raise RecipeError(f"{place}: '{key}' is {text!r}; it takes a string")
        if "correct" in said:
            expression.check(said["correct"], place)
            for name in expression.names(said["correct"], place):
                if name in measured().by_name:
                    raise RecipeError(f"{place}: 'correct' cannot name '{name}', which is made from verdicts")
        environments[env] = dict(said)
    return environments


def _evaluations(value: Any, where: str) -> dict[str, dict[str, str]]:
    found = {}
    for name, said in _table(value, f"{where}, [evaluation]").items():
        place = f'{where}, [evaluation."{name}"]'
        if not _NAME.fullmatch(name):
            raise RecipeError(f"{place}: '{name}' is no name: letters, digits, '.', '_' and '-'")
        for key, text in _table(said, place).items():
            if key not in evaluations.KEYS:
                raise RecipeError(f"{place}: there is no key '{key}'; there are {list(evaluations.KEYS)}")
            if not isinstance(text, str):
                raise RecipeError(f"{place}: '{key}' is {text!r}; it takes a string")
        found[name] = dict(said)
    return found


def uses(entries: Any, where: str) -> tuple[Use, ...]:
    """The rules that a `keep` list names. Raises `RecipeError`."""
    if not isinstance(entries, list):
        raise RecipeError(f"{where}: 'keep' is {entries!r}; it takes a list of rules")
    found = []
    for number, entry in enumerate(entries, start=1):
        place = f"{where}, rule {number}"
        settings = dict(_table(entry, place))
        if "where" in settings and "rule" not in settings:
            settings = {"rule": "where", "matches": settings.pop("where")} | settings
        if not isinstance(name := settings.pop("rule", None), str):
            raise RecipeError(f"{place}: names no rule", hint=f'{{ rule = "…" }} with one of {sorted(RULES)}')
        if not isinstance(flag := settings.pop("flag", False), bool):
            raise RecipeError(f"{place}: 'flag' is {flag!r}; it takes true (mark what it finds, drop nothing) or false")
        stage = named(name, place)
        stage.check(settings, place)
        found.append(Use(stage, name, settings, place, flag))
    return tuple(found)


def starter(recipe: Recipe, environments: Sequence[Mapping[str, Any]], undecided: Sequence[Mapping[str, Any]]) -> str:
    """The recipe as text, with what it could still say about the environments of a store, to edit.

    `environments` are rows of counts by env_id and env_name; `undecided` is from `stats.undecided`.
    """
    deciding = {one["environment"]: one["recipe"] for one in undecided if one["recipe"]}
    parts = [recipe.toml().rstrip()]
    for env in dict.fromkeys(row["env_id"] or row["env_name"] for row in environments):
        if env is None or env in recipe.environments:
            continue
        rows = [row for row in environments if (row["env_id"] or row["env_name"]) == env]
        counts = ", ".join(
            f"{sum(row[verdict] for row in rows):,} {verdict}"
            for verdict in ("correct", "incorrect", "undecided", "error")
            if any(row[verdict] for row in rows)
        )
        lines = [f"\n[env.{tomli_w.dumps({'k': env})[4:].strip()}]  # {counts}"]
        lines += [f'# {key} = "…"  # {about}' for key, about in ENVIRONMENT.items() if key != "correct"]
        if env in deciding:
            lines.append(f"# {deciding[env].splitlines()[1]}  # a proposal: choose the threshold")
        parts += lines
    return "\n".join(parts) + "\n"
