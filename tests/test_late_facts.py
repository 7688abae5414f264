"""What a log says about a trace after writing it: folded in by `scan`, the newest wins."""

import json

import synthetic
from synthetic import fold
from synthetic.store import snapshot
from tests.episodes import episode, episodes, log, rows, trace, write


def shipped(*traces, **more):
    """An episode as `effective` has it: the traces that were shipped, with their advantage."""
    return episode("e", *[trace(id, info={"advantage": advantage}) for id, advantage in traces], **more)


def said(store):
    """What is known later about each trace."""
    frame = rows(store).select("trace_id", "trained_on", "advantage", "ship_step", "rewound", "annotations")
    return {row[0]: row[1:] for row in frame.iter_rows()}


def test_what_was_shipped_is_known_of_its_traces(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(log(run, 1), episodes(3))
    write(log(run, 2, which="effective"), [shipped(("t0", -0.25), ("t1", 0.5))])
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.rows, done.late_facts) == (4, 3, 6)
    assert said(store) == {
        "t0": (True, -0.25, 2, None, None),
        "t1": (True, 0.5, 2, None, None),
        "t2": (None, None, None, None, None),
    }


def test_the_newest_fact_wins_also_when_it_comes_first_in_the_folder(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(log(run, 1), episodes(1))
    write(log(run, 5, which="effective"), [shipped(("t0", 0.5))])
    synthetic.capture(run, into=store)
    write(log(run, 3, which="effective"), [shipped(("t0", 0.75))])
    synthetic.capture(run, into=store)
    assert said(store) == {"t0": (True, 0.75, 3, None, None)}


def test_facts_may_be_known_before_their_traces(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    effective = write(log(run, 2, which="effective"), [shipped(("t0", 0.5))])
    done = synthetic.capture(effective, into=store)
    adds = "rollouts/step_2/train/effective/traces.jsonl only adds to rollouts of other logs, and those are not here"
    assert done.warnings == [f"run: {adds}: name the run's folder"]
    assert rows(store).is_empty()
    write(log(run, 1), episodes(1))
    assert synthetic.capture(run, into=store).warnings == []
    assert said(store) == {"t0": (True, 0.5, 2, None, None)}


def test_facts_about_a_trace_are_about_all_its_branches_and_change_no_shard(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(log(run, 1), episodes(2))
    synthetic.capture(run, into=store)
    before = snapshot(store).row_hashes
    write(log(run, 2, which="effective"), [shipped(("t1", None), ("unknown", 1))])
    synthetic.capture(run, into=store)
    assert snapshot(store).row_hashes == before
    assert said(store)["t1"] == (True, None, 2, None, None)
    assert rows(store).columns == list(synthetic.scan(store).collect_schema())


def test_facts_folded_in_parts_are_those_folded_whole(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(log(run, 1), episodes(5))
    for step, advantage in ((2, 0.5), (3, 0.75)):
        write(log(run, step, which="effective"), [shipped(*[(f"t{i}", advantage * i) for i in range(step)])])
    synthetic.capture(run, into=store)
    taken = snapshot(store)
    traces, annotations = ([shard.path for shard in shards] for shards in (taken.traces, taken.annotations))
    whole, parts = (fold.late(traces, annotations, part_rows=rows)[0].sort("trace_id") for rows in (1000, 1))
    assert whole.equals(parts)
    assert whole["advantage"].to_list() == [0.0, 0.75, 1.5]


def test_a_counted_evaluation_is_not_trained_on(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(log(run, 1, "eval"), episodes(1))
    write(log(run, 1, "eval", "effective"), episodes(1))
    synthetic.capture(run, into=store)
    assert {id: (fact[0], json.loads(fact[4])) for id, fact in said(store).items()} == {
        "t0": (None, {"effective": True})
    }


def test_a_resumed_run_marks_what_it_went_back_before(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    for step in (1, 2, 3):
        write(log(run, step), [episode(f"e{step}", trace(f"old{step}"))])
    synthetic.capture(run, into=store)
    for step in (2, 3):  # resumed after step 1: later steps are deleted and come again
        write(log(run, step), [episode(f"n{step}", trace(f"new{step}"))])
    done = synthetic.capture(run, into=store)
    assert [warning.partition(";")[0] for warning in done.warnings] == [
        f"run/rollouts/step_{step}/train/all/traces.jsonl: the run was resumed from before it" for step in (2, 3)
    ]
    rewound = {id: fact[3] for id, fact in said(store).items()}
    assert rewound == {"old1": None, "old2": True, "old3": True, "new2": None, "new3": None}
    again = synthetic.capture(run, into=store)
    assert (again.captured, again.late_facts, again.warnings) == (0, 0, [])


def test_a_resume_is_noticed_from_a_part_of_the_run(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    for step in (1, 2):
        write(log(run, step), [episode(f"e{step}", trace(f"old{step}"))])
    synthetic.capture(run, into=store)
    write(log(run, 2), [episode("n2", trace("new2"))])
    synthetic.capture(log(run, 2), into=store)
    assert {id: fact[3] for id, fact in said(store).items()} == {"old1": None, "old2": True, "new2": None}


def test_another_run_of_the_same_name_is_no_resume(tmp_path):
    store = tmp_path / "store"
    for place in ("a", "b"):
        write(log(tmp_path / place / "run", 1), [episode(f"e{place}", trace(f"t{place}"))])
        write(log(tmp_path / place / "other", 1), [episode("same", trace("same"))])
        done = synthetic.capture(tmp_path / place / "other", tmp_path / place / "run", into=store)
        assert done.warnings == []
    assert {fact[3] for fact in said(store).values()} == {None}


def test_two_runs_of_one_name_withdraw_nothing_of_each_other(tmp_path):
    store, places = tmp_path / "store", ("a", "b")
    for step in (1, 2, 3):  # each run grows by a step, and both are captured in turn
        for place in places:
            write(log(tmp_path / place / "run", step), [episode(f"e{place}{step}", trace(f"t{place}{step}"))])
            synthetic.capture(tmp_path / place / "run", into=store)
    assert len(said(store)) == 6
    assert {fact[3] for fact in said(store).values()} == {None}


def test_a_whole_run_of_the_same_name_withdraws_nothing(tmp_path):
    store = tmp_path / "store"
    for place in ("a", "b"):
        for step in (1, 2, 3):
            write(log(tmp_path / place / "run", step), [episode(f"e{place}{step}", trace(f"t{place}{step}"))])
        assert synthetic.capture(tmp_path / place / "run", into=store).warnings == []
    assert {fact[3] for fact in said(store).values()} == {None}


def test_a_bad_line_among_facts_is_set_aside(tmp_path):
    run, store = tmp_path / "run", tmp_path / "store"
    write(log(run, 1), episodes(1))
    lines = ["{}", shipped(("t0", 0.5)), episode("x", traces=[{"id": 7}]), episode("y", trace("t0", info=[1]))]
    write(log(run, 2, which="effective"), lines)
    done = synthetic.capture(run, into=store)
    assert (done.captured, done.quarantined) == (2, 3)
    assert said(store) == {"t0": (True, 0.5, 2, None, None)}
