"""Recipes: everything that is misspelt is refused with the choices, and what is read is written back."""

import sys
import tomllib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthetic import recipe
from synthetic.errors import RecipeError
from synthetic.recipe import Recipe, parse, starter

REQUIRED = """
[[keep]]
rule = "finished"
[sft_verified]
keep = [{ rule = "verified" }]
[sft_unverified]
keep = [{ rule = "undecided" }]
"""


def read(text="", rest=REQUIRED):
    return parse(text + rest, where="recipe r.toml", name="rows")


def refusal(text="", rest=REQUIRED):
    with pytest.raises(RecipeError) as caught:
        read(text, rest)
    assert str(caught.value).startswith("recipe r.toml")
    return str(caught.value)


def rule_refusal(entry):
    """What is said of an entry of `keep`, the second one."""
    return refusal(rest=REQUIRED.replace('[[keep]]\nrule = "finished"', f'keep = [{{ rule = "finished" }}, {entry}]'))


# ---- what is read


def test_what_a_recipe_does_not_say_has_a_default():
    plain = read()
    assert (plain.name, plain.version, plain.license, plain.thinking) == ("rows", "1.0.0", None, "field")
    assert (plain.include_eval, plain.environments, plain.correct, plain.description) == (False, {}, {}, None)


def test_a_config_begins_with_what_every_one_of_them_needs():
    plain = read()
    assert [use.name for use in plain.rules("sft_verified")] == [
        "from_training",
        "trainable",
        "well_formed",
        "finished",
        "verified",
    ]
    assert [use.name for use in plain.rules("sft_unverified")] == [
        "from_training",
        "trainable",
        "well_formed",
        "finished",
        "undecided",
    ]
    assert plain.rules("traces") == ()


def test_evaluations_come_in_when_asked_for():
    names = [use.name for use in read("include_eval = true").rules("sft_verified")]
    assert names == ["trainable", "well_formed", "finished", "verified"]


def test_where_is_short_for_a_rule():
    short = read(rest=REQUIRED.replace('"finished"', '"finished"\n[[keep]]\nwhere = "reward > 1"'))
    long = read(rest=REQUIRED.replace('"finished"', '"finished"\n[[keep]]\nrule = "where"\nmatches = "reward > 1"'))
    assert short == long
    assert short.keep[1].text == "where reward > 1"
    assert short.keep[1].toml == {"where": "reward > 1"}


def test_a_rule_reads_as_a_person_would_say_it():
    use = recipe.uses([{"rule": "at_most", "count": 4, "per": "env_id"}], "here")[0]
    assert use.text == "at_most count = 4, per = env_id"
    assert use.where == "here, rule 1"


@pytest.mark.parametrize("name", recipe.builtin())
def test_the_recipes_that_come_along_can_be_read(name):
    assert recipe.read(name, name="rows").name == "rows"


def test_a_recipe_is_a_name_or_a_file(tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"' + REQUIRED)
    assert recipe.read(tmp_path / "mine.toml", name="rows").name == "mine"
    assert recipe.read(None, name="rows") == recipe.read("default", name="rows")
    with pytest.raises(RecipeError, match=r"there is no recipe 'defalt'.*\['default', .*'synthetic-2'\]"):
        recipe.read("defalt", name="rows")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for unreadable in (tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(RecipeError, match="cannot be read"):
            recipe.read(unreadable, name="rows")


# ---- what is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nme = "x"', "there is no key 'nme'; there are ['name', 'version', "),
        ("[", "not TOML"),
        ('name = "x"\nname = "y"', "not TOML"),
        ("[traces]\nkeep = []", "'traces' takes no rules: it holds everything"),
        ("[sft_verifed]\nkeep = []", "there is no key 'sft_verifed'; there are ["),
        ("[rl_task]\nkeep = []", "'sft_verified', 'sft_unverified', 'rl_tasks', 'preference']"),
    ],
)
def test_a_key_that_there_is_not_is_refused(text, said):
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 1", "'version' is 1; it takes a string"),
        ('version = "1.0"', "version '1.0' is not MAJOR.MINOR.PATCH, such as 1.0.0"),
        ('version = "1.0.0-rc"', "is not MAJOR.MINOR.PATCH"),
        ('version = "\u0661.0.0"', "is not MAJOR.MINOR.PATCH"),
        ("name = true", "'name' is True; it takes a string"),
        *((f'name = "{name}"', "is no name for a dataset") for name in ("", "a b", "a/b", "-a", "a.", "é", "a" * 97)),
        ('thinking = "inlined"', "'thinking' is 'inlined'; it takes one of ['field', 'inline']"),
        ("thinking = true", "'thinking' is True; it takes a string"),
        ("include_eval = 1", "'include_eval' is 1; it takes true or false"),
        ('include_eval = "yes"', "'include_eval' is 'yes'; it takes true or false"),
        ("license = 2", "'license' is 2; it takes a string"),
        ('license = "do what you like"', "is no identifier such as apache-2.0"),
        ('license = ""', "is no identifier"),
        ("description = []", "'description' is []; it takes a string"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(text, said):
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{ rule = "finshed" }', "rule 2: there is no rule 'finshed'; there are ['answered', 'at_most',"),
        ('{ rule = "at_most", cuont = 4 }', "rule 2: 'at_most' has no setting 'cuont'; it has ['count', 'per']"),
        ('{ rule = "verified", score_at_least = 1 }', "'verified' has no setting 'score_at_least'; it has none"),
        ('{ rule = "at_most" }', "rule 2: 'at_most' needs 'count'"),
        ('{ rule = "at_most", count = true }', "'count' of 'at_most' is True; it takes a whole number"),
        ('{ rule = "at_most", count = 1.5 }', "'count' of 'at_most' is 1.5; it takes a whole number"),
        ('{ rule = "at_most", count = "4" }', "'count' of 'at_most' is '4'; it takes a whole number"),
        ('{ rule = "at_most", count = 4, per = 1 }', "'per' of 'at_most' is 1; it takes a string"),
        ('{ rule = "at_most", count = 4, per = "problem" }', "'at_most' reads 'problem'; there are the columns ["),
        ('{ rule = "at_most", count = 4, per = "messages" }', "'at_most' cannot compare whole 'messages'"),
        ('{ rule = "finished", sure = 1 }', "'sure' of 'finished' is 1; it takes true or false"),
        ("{ where = 1 }", "'matches' of 'where' is 1; it takes a string"),
        ('{ where = "reward >" }', "rule 2: 'reward >' is no expression"),
        ('{ where = "reward" }', "rule 2: 'reward' is a Float64, not a condition"),
        ('{ where = "reward > avg(reward)" }', "an expression looks at one row"),
        ('{ where = "reward > 1", rule = "finished" }', "'finished' has no setting 'where'; it has ['sure']"),
        ('{ where = "reward > 1", strict = true }', "'where' has no setting 'strict'; it has ['matches']"),
        ('{ rule = "no_such_package:rule" }', "rule 2: cannot import the rule 'no_such_package:rule'"),
        ('{ rule = "json:loads" }', "rule 2: 'json:loads' is no rule; make it one with @synthetic.stage.rule"),
        ("{ count = 4 }", "rule 2: names no rule"),
        ("{ rule = 4 }", "rule 2: names no rule"),
        ('"finished"', "rule 2: 'finished' is no table"),
    ],
)
def test_a_rule_that_does_not_hold_is_refused(entry, said):
    assert said in rule_refusal(entry)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[env.e]\ncorect = "reward = 1"', "[env.\"e\"]: there is no key 'corect'; there are ['task_type', 'domain',"),
        ("[env.e]\ndomain = 1", "'domain' is 1; it takes a string"),
        ("[env.e]\ncorrect = true", "'correct' is True; it takes a string"),
        ('[env]\ne = "math"', "'math' is no table"),
        ("env = 3", "3 is no table"),
        ('[env.e]\ncorrect = "reward ="', "[env.\"e\"]: 'reward =' is no expression"),
        ('[env.e]\ncorrect = "reward"', "'reward' is a Float64, not a condition"),
        ("[env.e]\ncorrect = \"verdict = 'correct'\"", "'correct' cannot name 'verdict', which is made from verdicts"),
        ('[env.e]\ncorrect = "problem_pass_rate > 0.5"', "'correct' cannot name 'problem_pass_rate'"),
    ],
)
def test_an_environment_that_does_not_hold_is_refused(text, said):
    assert said in refusal(text)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('{ rule = "verified" }', "", "[sft_verified]: its rules must contain 'verified'"),
        ('{ rule = "undecided" }', "", "[sft_unverified]: its rules must contain 'undecided'"),
        ('[[keep]]\nrule = "finished"', "", "[sft_unverified]: its rules must contain 'finished'"),
        ('[{ rule = "verified" }]', '"verified"', "[sft_verified]: 'keep' is 'verified'; it takes a list of rules"),
        ('keep = [{ rule = "verified" }]', "rules = []", "[sft_verified]: there is no key 'rules'; there is 'keep'"),
    ],
)
def test_a_config_must_be_what_its_name_says(was, becomes, said):
    assert said in refusal(rest=REQUIRED.replace(was, becomes))


def test_a_refusal_says_what_would_work():
    with pytest.raises(RecipeError) as caught:
        read(rest="[sft_verified]\nkeep = []")
    assert caught.value.hint == '[sft_verified] keep = [ { rule = "verified" }, … ]'


# ---- other values


def test_other_values_are_checked_too():
    plain = read()
    assert plain.with_(license="mit", include_eval=True).license == "mit"
    assert plain.with_(license=None, include_eval=None) == plain
    with pytest.raises(RecipeError, match="no identifier"):
        plain.with_(license="no licence")
    with pytest.raises(RecipeError, match="no name"):
        plain.with_(name="a b")


# ---- rules from outside

OUTSIDE = """
import polars as pl
from synthetic.stage import rule

@rule("reward", version=1)
def rewarded(traces: pl.LazyFrame, *, least: float = 0.0) -> pl.LazyFrame:
    "Keep rows with a reward."
    return traces.filter(pl.col("reward").fill_null(0.0) < least).select("row_id", reason=pl.lit("little"))
"""


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "my_outside_rules.py").write_text(OUTSIDE)
    sys.path.insert(0, str(tmp_path))
    yield "my_outside_rules:rewarded"
    sys.path.remove(str(tmp_path))
    sys.modules.pop("my_outside_rules", None)


def test_a_rule_from_outside_is_used_like_ours(outside):
    more = REQUIRED.replace("[sft_verified]", f'[[keep]]\nrule = "{outside}"\nleast = 0.5\n[sft_verified]')
    use = read(rest=more).keep[1]
    assert use.text == f"{outside} least = 0.5"
    assert use.toml == {"rule": outside, "least": 0.5}
    assert parse(read(rest=more).toml(), where="again", name="x") == read(rest=more)
    with pytest.raises(RecipeError, match=r"'rewarded' has no setting 'most'; it has \['least'\]"):
        read(rest=more.replace("least", "most"))


# ---- written back

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
CONDITION = st.sampled_from(["reward > 0.5", "\"odd 'name'\" >= 1", "model = 'a\"b\\c'", "not is_truncated"])
RULE = st.one_of(
    st.builds(lambda text: {"where": text}, CONDITION),
    st.just({"rule": "unique"}),
    st.builds(lambda sure: {"rule": "finished", "sure": sure}, st.booleans()),
    st.builds(
        lambda n, per: {"rule": "at_most", "count": n, "per": per},
        st.integers(0, 9),
        st.sampled_from(["env_id", "step"]),
    ),
)
SAID = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("task_type", "domain", "source"), WORD) | {"correct": CONDITION}
)
LISTS = st.lists(RULE, max_size=3)


@st.composite
def recipes(draw):
    table = draw(
        st.fixed_dictionaries(
            {"name": st.from_regex(r"[a-z][a-z0-9._-]{0,20}[a-z0-9]", fullmatch=True)},
            optional={
                "version": st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True),
                "description": WORD,
                "license": st.sampled_from(["apache-2.0", "MIT", "cc-by-4.0"]),
                "thinking": st.sampled_from(recipe.THINKING),
                "include_eval": st.booleans(),
            },
        )
    )
    own = {
        "sft_verified": recipe.uses([*draw(LISTS), {"rule": "verified"}], "v"),
        "sft_unverified": recipe.uses([{"rule": "undecided"}, {"rule": "finished"}, *draw(LISTS)], "u"),
    }
    environments = draw(st.dictionaries(WORD, SAID, max_size=3))
    return Recipe(**table, environments=environments, keep=recipe.uses(draw(LISTS), "k"), own=own)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(recipes())
def test_what_is_written_reads_the_same(made):
    text = made.toml()
    again = parse(text, where="again", name="another")
    assert again == made
    assert again.toml() == text


# ---- a recipe to start with


def counts(env_id, env_name=None, **counted):
    return (
        {"env_id": env_id, "env_name": env_name}
        | dict.fromkeys(("correct", "incorrect", "undecided", "error"), 0)
        | counted
    )


def started(*environments, undecided=()):
    return starter(read('[env.known]\ndomain = "math"\n'), environments, undecided)


def uncommented(text):
    """The text with its proposals taken: lines that begin with `# ` and hold a value."""
    return "\n".join(line.removeprefix("# ") for line in text.splitlines())


def test_a_starter_is_a_recipe_before_and_after_its_lines_are_uncommented():
    odd = 'a "b"\\c.d\n'
    proposal = {"environment": "e", "recipe": '[env."e"]\ncorrect = "score >= 3"'}
    text = started(counts("e", undecided=1200), counts(odd, correct=1), counts(None, "n"), undecided=[proposal])
    assert "# 1,200 undecided" in text
    assert parse(text, where="starter", name="x").environments == {
        "known": {"domain": "math"},
        "e": {},
        odd: {},
        "n": {},
    }
    edited = parse(uncommented(text), where="starter", name="x")
    assert edited.correct == {"e": "score >= 3"}
    assert edited.environments[odd]["task_type"] == "…"


def test_a_starter_leaves_out_what_the_recipe_says_already_and_what_has_no_name():
    text = started(counts("known", correct=1), counts(None), undecided=[{"environment": None, "recipe": None}])
    assert tomllib.loads(text) == tomllib.loads(started())


def test_a_starter_counts_an_environment_once():
    text = started(counts("e", "first", correct=1), counts("e", "second", correct=2, error=1))
    assert text.count('[env."e"]') == 1
    assert "# 3 correct, 1 error" in text
