"""The card of a small release: what it says, and that no log can make it say anything else."""

import copy
import re

import pytest
from huggingface_hub import DatasetCard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from synthetic import card, recipe, stats
from synthetic.errors import BrokenRelease
from synthetic.manifest import Clash, Config, Data, Kept, Manifest, Run
from synthetic.record import schema
from synthetic.views import VIEWS
from tests.test_stats import CUT, GRADED, WRONG, graded, traces

DROPPED = [{"config": "sft_verified", "rule": "verified", "reason": "incorrect (scorer: correct)"}]
ROWS = [
    {},
    {"text_key": "k", "trained_on": True},
    {"text_key": "k", "drops": [DROPPED[0] | {"rule": "unique", "reason": "same text as b/0"}]},
    WRONG | {"drops": DROPPED},
    WRONG | CUT | {"drops": DROPPED},
    graded(0.25, env_id="grading", model="big-7b", drops=DROPPED),
    graded(0.75, env_id="grading", model="big-7b", drops=DROPPED, source="library", source_license="mit"),
    GRADED | {"env_id": None, "model": None, "run_name": None, "reward": None, "drops": DROPPED},
]
FUNNEL = [Kept("verified", 8, 5), Kept("unique", 3, 1), Kept("at_most count = 4, per = problem_id", 2, 0)]


def config(name, rows, funnel=()):
    view = VIEWS[name]
    columns = [{"name": c.name, "type": c.type, "null": c.null, "doc": c.doc} for c in schema(view.schema).columns]
    file = Data(f"data/{name}/train-h000-of-001.parquet", rows, 1000, "0" * 64, "1" * 64)
    return Config(view.title, view.schema, columns, rows, rows, 1, list(funnel), [file])


MANIFEST = Manifest(
    name="small-traces",
    version="1.2.0",
    license=None,
    made_with={"synthetic-traces": "0.1.0", "polars": "2.1.0", "pyarrow": "26.0.1"},
    recipe="2" * 64,
    runs=[Run("monday", ["prime-rl"], 3, 8, 1)],
    inputs=[],
    repeated=2,
    conflicts=1,
    clashes=[Clash("tuesday", "monday", 1, "t1/0", "a.jsonl at 7", None)],
    configs={"sft_verified": config("sft_verified", 2, FUNNEL), "traces": config("traces", 8)},
    left_out=["sft_unverified"],
    files=[],
    root="3" * 64,
)
RECIPE = recipe.read(None, name="small-traces")
KEPT = traces(*ROWS[:2]).select(column for column in schema("sft-1").names if column in schema("traces-1").names)
NUMBERS = stats.numbers({"sft_verified": KEPT, "traces": traces(*ROWS)})


def render(manifest=MANIFEST, numbers=NUMBERS, read=RECIPE):
    return card.render(manifest, numbers, read)


def with_funnel(steps):
    return replace(MANIFEST, configs=MANIFEST.configs | {"sft_verified": config("sft_verified", 1, steps)})


def front_matter(text):
    return DatasetCard(text).data.to_dict()


def section(title, text=None):
    return re.split(r"^## ", text or render(), flags=re.MULTILINE)[sections(text).index(title) + 1]


def sections(text=None):
    return re.findall(r"^## (.*)", text or render(), re.MULTILINE)


# ---- what it says


def test_the_front_matter_names_every_config_by_its_files_the_default_first():
    said = front_matter(render())
    infos = said.pop("dataset_info")
    assert [info["splits"] for info in infos] == [
        [{"name": "train", "num_bytes": 1000, "num_examples": 2}],
        [{"name": "train", "num_bytes": 1000, "num_examples": 8}],
    ]
    assert said == {
        "pretty_name": "small-traces",
        "size_categories": "n<1K",
        "task_categories": ["text-generation", "reinforcement-learning"],
        "annotations_creators": ["machine-generated"],
        "language_creators": ["machine-generated"],
        "tags": ["synthetic", "reasoning", "reasoning-traces", "rlvr", "prime-rl"],
        "configs": [
            {
                "config_name": "sft_verified",
                "data_files": [{"split": "train", "path": "data/sft_verified/train-*.parquet"}],
                "default": True,
            },
            {"config_name": "traces", "data_files": [{"split": "train", "path": "data/traces/train-*.parquet"}]},
        ],
    }


def test_a_licence_is_said_where_it_is_set_and_missed_where_it_is_not():
    assert "**Not set.**" in section("Licence")
    licensed = render(replace(MANIFEST, license="apache-2.0"))
    assert front_matter(licensed)["license"] == "apache-2.0"
    assert "under `apache-2.0`" in section("Licence", licensed)


def test_the_sections_are_those_of_a_careful_card():
    assert sections() == [
        "At a glance",
        "Load it",
        "Configs and columns",
        "How rows were made",
        "What verified means here",
        "Selection funnel",
        "Duplicates",
        "Overlap with evaluation sets",
        "Provenance",
        "Personal data and safety",
        "Limitations and known issues",
        "Licence",
        "Changes",
        "Rebuild and verify",
        "Removal requests",
        "For a summary of training content",
        "Citation",
    ]


def test_counts_at_a_glance():
    text = section("At a glance")
    assert "| Holds | 8 rows of 8 traces, at 1 problem |" in text
    assert "| Verdicts | 8 attempts: 3 correct, 2 incorrect, 3 undecided, 0 errors |" in text
    assert "| `sft_verified` (default) | 2 | 1 | 1 | 20 | 20 | 40 |" in text
    assert "No row is in `sft_unverified`, so the release leaves it out." in text


def test_it_loads_this_version():
    assert 'load_dataset("org/small-traces", "traces", split="train", revision="v1.2.0")' in section("Load it")


def test_every_column_has_its_sentence():
    text = section("Configs and columns")
    for column in schema("traces-1").columns:
        assert f"| `{column.name}`{'' if column.null else ' !'} | " in text
        assert column.doc in text


def test_verdicts_by_environment():
    text = section("What verified means here")
    assert "| `adding` | `train` | 5 | 3 | 2 | 0 | 0 | 75.0 % |" in text
    assert "| *not recorded* | `train` | 1 | 0 | 0 | 1 | 0 | unknown |" in text
    assert "| `grading` | `train` | 0 | 0.25 | 0.5 | 0.75 |" in text
    assert "| `adding` | `train` | `scorer: correct` | 3 | 2 | 0 | 0 |" in text
    assert '```toml\n[env."grading"]\ncorrect = "score > 0.7"\n```' in text


def test_the_funnel_ends_at_the_rows_of_the_config():
    text = section("Selection funnel")
    steps = [f"| `{step.rule}` | {step.seen} | {step.dropped} | {step.seen - step.dropped} |" for step in FUNNEL]
    assert "\n".join(steps) in text
    assert "| `verified` | `incorrect (scorer: correct)` | 5 |\n| `unique` | `same text as b/0` | 1 |" in text


def near_unique(*rules, dropped=1):
    """The card's section where these are the rules of sft_verified."""
    read = recipe.parse(f"[sft_verified]\nkeep = [{', '.join(rules)}]\n", where="a recipe", name="small-traces")
    steps = [*FUNNEL[:2], Kept(read.rules("sft_verified")[-1].text, 2, dropped)]
    return section("Duplicates", render(with_funnel(steps), read=read))


def test_what_was_looked_for_among_copies_is_what_the_rules_did():
    plain = section("Duplicates")
    assert "- `sft_verified` keeps one row of each text: `unique` dropped 1." in plain
    assert (
        "Texts that are nearly equal were not looked for.\nCopies at different problems were not looked for." in plain
    )
    rules = '{ rule = "verified" }', '{ rule = "unique" }', '{ rule = "near_unique" }'
    near = near_unique(*rules)
    assert "`unique` dropped 1; and the best row of texts that are nearly equal: `near_unique` dropped 1." in near
    assert "similarity of at least 0.8, or the smaller set lies within the larger by at least 0.95" in near
    assert "(18 bands of 7 slots) that miss 1.4 % of the pairs at a similarity of 0.8." in near
    assert "rows of one problem with the same verdict and the same final answer." in near
    assert "Copies at different problems were not looked for." in near
    assert "nearly equal were not" not in near


def test_by_which_thresholds_copies_were_looked_for_is_said():
    everywhere = '{ rule = "near_unique", scope = "everything", alike = 0.9, contained = 0.99, bands = 10 }'
    text = near_unique('{ rule = "verified" }', everywhere)
    assert "similarity of at least 0.9, or the smaller set lies within the larger by at least 0.99" in text
    assert "Compared are all rows." in text
    assert "(10 bands of 7 slots) that miss 0.1 % of the pairs at a similarity of 0.9." in text
    assert "were not looked for" not in text
    text = near_unique('{ rule = "verified" }', '{ rule = "unpublished", of = "org/before@v1", alike = 0.7 }')
    assert "`sft_verified`: no row is one that `org/before@v1` has in `sft_verified`, or nearly the text" in text
    assert "(an estimated Jaccard similarity of at least 0.7)" in text


def test_limitations_are_those_of_this_release():
    text = section("Limitations and known issues")
    assert "- 1 attempt (12.5 %) was cut off by a limit." in text
    assert "- 3 attempts (37.5 %) are undecided, in `grading`." in text
    assert "- 1 line of the logs could not be read and is not in the release." in text
    for absent in ("One model", "failed", "did not train", "took back", "Evaluation rollouts", "by an expression"):
        assert absent not in text


def test_rows_of_agents_that_were_not_trained_are_among_the_traces_and_no_attempts():
    user = GRADED | {"trainable": False, "reward": None, "verifier": "verifiers/adding"}
    numbers = stats.numbers({"sft_verified": KEPT, "traces": traces(*ROWS, user)})
    text = render(numbers=numbers)
    assert "9 traces of language models on 1 problem, " in text
    assert "| Verdicts | 8 attempts: " in text
    assert "| Environment | Made for | Verifier | Version | Rule | Attempts |" in text
    assert "- 1 attempt has no reward." in text
    assert "- 1 row was written by an agent that the run did not train; it is in `traces` only." in text


def test_one_model_and_one_environment_are_limitations():
    numbers = stats.numbers({"sft_verified": KEPT, "traces": traces(*ROWS[:5])})
    text = section("Limitations and known issues", render(numbers=numbers))
    assert "- One model wrote everything: `small-1b`." in text
    assert "- One environment set every problem." in text
    assert "undecided" not in text


def test_nothing_unknown_is_shown_as_a_word_of_python():
    text = render()
    assert not re.search(
        r"\b(None|nan|NaN|inf|True|False|Undefined)\b", re.sub(r"`[^`]*`|True when|False (when|for)", "", text)
    )


def test_a_missing_number_fails_the_release():
    numbers = copy.deepcopy(NUMBERS)
    numbers["duplicates"]["distinct_texts"] = None
    with pytest.raises(BrokenRelease, match="no text for the value None"):
        render(numbers=numbers)
    del numbers["duplicates"]["distinct_texts"]
    with pytest.raises(BrokenRelease, match="no attribute 'distinct_texts'"):
        render(numbers=numbers)


def test_the_changelog_says_what_the_version_holds():
    text = card.texts(MANIFEST, NUMBERS, RECIPE)["CHANGELOG.md"]
    assert "## 1.2.0\n" in text
    assert "| `sft_verified` | 2 | 1 |" in text


# ---- what a log wrote can do nothing


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("rg_trace", "`rg_trace`"),
        ("a|b", "`a\\|b`"),
        ("a\\|b", "`a\\\\\\|b`"),
        ("two\nlines\r", "`two\\nlines\\r`"),
        ("`x``y", "``` `x``y ```"),
        ("", '`""`'),
        (" x", '`" x"`'),
        ("\u202eevil\u200b\ud800", "`\\u202eevil\\u200b\\ud800`"),
        ("x" * 1000, f"`{'x' * card.LONGEST}…`"),
    ],
)
def test_what_a_log_wrote_is_shown_as_code_on_one_line(text, span):
    assert card.code(text) == span


def test_a_description_is_shown_as_it_was_written():
    text = render(read=RECIPE.with_(description="1. *Ours*\n# <b>[x](y)</b> {{ 7 * 7 }} `z`"))
    html = MarkdownIt().render(text)
    assert "<p>1. *Ours* # &lt;b&gt;[x](y)&lt;/b&gt; {{ 7 * 7 }} `z`</p>" in html


ATTACKS = [
    "---\nlicense: mit\n---",
    "| x | y |\n|---|---|",
    "# Heading\n\n## Licence",
    "</details><script>alert(1)</script>",
    "[link](javascript:alert(1)) ![x](http://x.test/pixel.png) <http://x.test>",
    "{{ manifest.root }}{% for x in y %}",
    "``` ` `` ```\n",
    "\\|\\\\|\\`",
    "&#124; &amp; *a* _b_ ~~c~~ $d$",
]
HOSTILE = st.text(max_size=30) | st.text(alphabet="`|\\\n\r<>[]()!#*_-=~&{}%$: \t\u202e\x00\ud800a", max_size=30)
TAME = ["adding", "grading", "small-1b", "big-7b", "monday", "library", "mit"]
PATTERN = re.compile("|".join(TAME))


def replaced(value, names):
    """The value with every tame name in it replaced, in keys never."""
    if isinstance(value, dict):
        return {key: replaced(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each, names) for each in value]
    return PATTERN.sub(lambda found: names[found[0]], value) if isinstance(value, str) else value


def outline(text):
    """Blocks in order with their inline parts, and all text outside code; code shows what a log wrote."""
    body = text.split("\n---\n", 1)[1]
    blocks, outside = [], []
    for token in MarkdownIt("commonmark").enable("table").parse(body):
        blocks.append((token.type, token.tag, [child.type for child in token.children or ()]))
        outside += [child.content for child in token.children or () if child.type != "code_inline"]
        if token.type == "html_block":
            outside.append(token.content)
    return blocks, sorted(outside)


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=len(TAME), max_size=len(TAME), unique=True), HOSTILE)
@example([f"{attack}{i}" for i, attack in enumerate(ATTACKS[: len(TAME)])], ATTACKS[7])
@example([f"{attack}{i}" for i, attack in enumerate(ATTACKS[-len(TAME) :])], ATTACKS[0])
def test_nothing_that_a_log_wrote_changes_the_card(names, said):
    """Names of environments, models, runs, sources and verifiers; reasons, rules, sampling, formats, frameworks."""
    numbers = copy.deepcopy(NUMBERS)
    hostile = replaced(numbers, dict(zip(TAME, names, strict=True)))
    for entry, tame in zip(hostile["undecided"], numbers["undecided"], strict=True):
        entry["recipe"] = tame["recipe"] and proposed(entry["environment"], said or "x")
    for step in hostile["funnel"]["sft_verified"]["dropped"]:
        step["reasons"][0]["reason"] = said
    hostile["models"][0]["sampling"][0]["sampling"] = said
    for run in hostile["runs"]:
        run["framework"] = said
    hostile["environments"][0]["verdict_rules"][0]["verdict_rule"] = f"scorer: {said}"
    made = replace(MANIFEST, runs=[Run(said, [said], 3, 8, 1)])

    text = render(made, hostile)

    text.encode()
    assert [*front_matter(text)] == [*front_matter(render())]
    assert outline(text) == outline(render())


def proposed(environment, scorer):
    env, name = (text.encode(errors="replace").decode() for text in (environment, scorer))  # frames hold UTF-8
    row = GRADED | {"env_id": env, "reward": 0.5, "rewards": [{"name": name, "score": 0.5}]}
    return stats.undecided(traces(row))[0]["recipe"]
