"""The pictures of a card: which there are, what they say in words, and that they can be trusted and drawn."""

import copy
import html.parser
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

import synthetic
from synthetic import card, manifest, plots, stats
from synthetic.manifest import File
from synthetic.plain import visible
from tests import releases
from tests.test_card import HOSTILE, KEPT, MANIFEST, NUMBERS, RECIPE, ROWS
from tests.test_charts import luminance
from tests.test_stats import GRADED, traces

DRAWN = replace(MANIFEST, made_with=MANIFEST.made_with | dict.fromkeys(plots.PACKAGES, "1"))
STEPPED = stats.numbers({"sft_verified": KEPT, "traces": traces(*ROWS, {"step": 1}, {"step": 2})})


def shown(numbers=NUMBERS):
    return {picture.name: picture for picture in plots.of(numbers, MANIFEST.configs)}


def images(text):
    """The attributes of every picture in a card."""
    found = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag in ("p", "img")
            if tag == "img":
                found.append(dict(attrs))

    for token in MarkdownIt("commonmark").enable("table").parse(text.split("\n---\n", 1)[1]):
        if token.type == "html_block" and "<img" in token.content:
            Reader().feed(token.content)
    return found


def lagging(**columns):
    return GRADED | {"kind": "train", "policy_start": 3, "policy_end": 3, "ship_step": 4} | columns


def test_a_picture_says_in_words_what_it_shows():
    assert shown()["funnel"].alt == (
        "Bars: rows left after each rule, by config. sft_verified: 8 rows, 3 after verified, 2 after unique,"
        " 2 after at_most count = 4, per = problem_id."
    )
    assert "incorrect: median 20, half between 20 and 20, nine in ten between 20 and 20" in shown()["lengths"].alt


def test_what_a_release_has_no_data_of_is_not_drawn():
    assert set(shown()) == {"funnel", "lengths", "lag"}
    assert "difficulty" not in shown()  # no rl_tasks
    unstepped = stats.numbers({"traces": traces({"step": None, "policy_start": None, "completion_tokens": None})})
    assert not {"rewards", "lag", "lengths"} & set(shown(unstepped))


def test_lag_counts_versions_and_what_is_unknown():
    rows = [
        lagging(),
        lagging(ship_step=6),
        lagging(ship_step=90, policy_end=5),
        lagging(ship_step=None),
        lagging(ship_step=9, rewound=True),
    ]
    found = stats.numbers({"traces": traces(*rows)})
    assert found["lag"]["staleness"] == {
        "attempts": [{"versions": 0, "rows": 1}, {"versions": 2, "rows": 1}, {"versions": 16, "rows": 1}],
        "unknown": 1,
    }
    assert "behind the policy that its batch trained: 0: 1, 2: 1, 16 or more: 1; unknown of 1." in (
        shown(found)["lag"].alt
    )


def test_rewards_over_many_steps_are_put_together_and_nan_is_no_reward():
    rows = [{"kind": "train", "step": step, "reward": float(step % 2), "env_id": "sums"} for step in range(100)]
    found = stats.numbers({"traces": traces(*rows, {"kind": "train", "step": 0, "reward": float("nan")})})
    assert found["rewards"]["width"] == 3
    (sums,) = [each for each in found["rewards"]["environments"] if each["environment"] == "sums"]
    assert (sums["step"][:3], sums["scored"][:3], sums["mean"][:2]) == ([0, 3, 6], [3, 3, 3], [0.333333, 0.666667])


@settings(max_examples=60, deadline=None)
@given(HOSTILE | st.sampled_from(["a\n\nb", '"><script>', "</p>\n\n# x", "&quot;", "`|`", "datum.rows"]))
def test_no_name_in_a_picture_changes_the_card(name):
    numbers = copy.deepcopy(STEPPED)
    for each in numbers["rewards"]["environments"]:
        each["environment"] = name
    text = card.render(DRAWN, numbers, RECIPE)
    found = images(text)
    names = [each["src"].removeprefix("assets/").removesuffix(".svg") for each in found]
    assert names == [
        "lengths",
        "rewards",
        "lag",
        "funnel",
    ]
    assert [set(each) for each in found] == [{"src", "alt"}] * 4
    assert visible(name[: plots.LABEL]) in found[1]["alt"]


def test_a_card_without_pictures_has_no_broken_links():
    assert "assets/" not in card.render(MANIFEST, NUMBERS, RECIPE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    folder = tmp_path_factory.mktemp("plots")
    return synthetic.release(releases.store(folder / "store"), to=folder / "release"), folder


def test_a_release_holds_its_pictures_as_svg_and_png_and_a_second_one_has_the_same_bytes(made):
    done, folder = made
    before = releases.tree(folder / "release")
    text = (folder / "release" / "README.md").read_text("utf-8")
    paths = [each["src"] for each in images(text)]
    assert "assets/funnel.svg" in paths
    assert "assets/difficulty.svg" in paths
    for path in paths:
        drawn = (folder / "release" / path).read_text("utf-8")
        assert "<svg" in drawn
        assert (folder / "release" / path).with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert done.manifest.made_with.keys() >= set(plots.PACKAGES)
    assert not synthetic.release(folder / "store", to=folder / "release").changed
    assert releases.tree(folder / "release") == before
    assert synthetic.check(folder / "release").problems == []


def test_a_picture_that_shows_another_number_is_found(made, tmp_path):
    _, folder = made
    damaged = releases.copied(folder / "release", tmp_path / "release")
    picture = damaged / "assets" / "funnel.svg"
    text = picture.read_text("utf-8")
    assert ">72</text>" in text
    picture.write_text(text.replace(">72</text>", ">71</text>"), "utf-8")
    listed(damaged, "assets/funnel.svg")
    assert synthetic.check(damaged).problems == ["assets/funnel.svg: does not show the numbers of the rows"]


def listed(folder, path):
    """Let the manifest say that the file is as it is."""
    said = manifest.read(folder)
    file = File(path, (folder / path).stat().st_size, manifest.sha256(folder / path))
    files = [file if each.path == path else each for each in said.files]
    (folder / manifest.PATH).write_bytes(manifest.encode(replace(said, files=files)))


def test_without_the_extra_a_release_has_no_pictures_and_says_so(tmp_path):
    # A module that Python is told not to have.
    (tmp_path / "altair.py").write_text("raise ImportError('no altair')\n", "utf-8")
    path = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(releases.ROOT)))}
    made = releases.command("release", releases.store(tmp_path / "store"), "--to", tmp_path / "release", env=path)
    assert made.returncode == 0, made.stderr
    assert "pip install 'synthetic-traces[plots]'" in made.stdout + made.stderr
    assert not (tmp_path / "release" / "assets").exists()
    assert "<img" not in (tmp_path / "release" / "README.md").read_text("utf-8")
    assert synthetic.check(tmp_path / "release").problems == []


def test_where_nothing_draws_a_check_says_that_nobody_looked_at_the_pictures(made, tmp_path):
    (tmp_path / "altair.py").write_text("raise ImportError('no altair')\n", "utf-8")
    path = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(releases.ROOT)))}
    checked = releases.command("check", made[1] / "release", env=path)
    assert checked.returncode == 0, checked.stderr
    assert "nobody drew them again" in checked.stdout + checked.stderr


@pytest.mark.parametrize("colour", ["INK", *range(6)])
def test_every_colour_can_be_seen_on_white_and_on_near_black(colour):
    draw = pytest.importorskip("synthetic.plots.draw")
    value = draw.INK if colour == "INK" else draw.COLOURS[colour]
    white, black = 1.05 / (luminance(value) + 0.05), (luminance(value) + 0.05) / (luminance("#0d1117") + 0.05)
    assert min(white, black) > (4.3 if colour == "INK" else 3.5)
