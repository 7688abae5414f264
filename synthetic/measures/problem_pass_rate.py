"""How often is a problem solved?"""

import polars as pl

from synthetic.stage import measure


@measure(
    *("verdict", "is_truncated", "branch", "trainable"),
    together="problem_cluster",
    gives=("problem_pass_rate",),
    version=2,
)
def problem_pass_rate(traces: pl.LazyFrame) -> pl.LazyFrame:
    """Correct attempts at the row's problem over decided ones; null when none is decided.

    Problems of one `problem_cluster` are one problem.
    An attempt is a trace of an agent that was trained (or of which the log does not say): its first branch stands for
    all. Attempts that were cut off and not correct are left out: a limit is no difficulty. Undecided and failed
    attempts are no failures. An unknown is_truncated counts as not cut off.
    """
    attempt = (pl.col("branch") == 0) & pl.col("trainable").ne_missing(False)
    right = (attempt & (pl.col("verdict") == "correct")).sum()
    cut = pl.col("is_truncated").fill_null(False)
    wrong = (attempt & (pl.col("verdict") == "incorrect") & ~cut).sum()
    decided = right + wrong
    rate = pl.when(decided > 0).then(right / decided).over("problem_cluster")
    return traces.select("row_id", rate.alias("problem_pass_rate"))
