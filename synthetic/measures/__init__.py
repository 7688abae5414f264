"""The measures, one file each: columns added to facts. To add one, write its file and a line here."""

from synthetic.measures.final_answer import final_answer
from synthetic.measures.loop import loop
from synthetic.measures.minhash import minhash
from synthetic.measures.problem_cluster import problem_cluster
from synthetic.measures.problem_pass_rate import problem_pass_rate
from synthetic.measures.prompt import prompt
from synthetic.measures.verdict import verdict
from synthetic.stage import Stage

MEASURES: dict[str, Stage] = {
    stage.name: stage for stage in (verdict, problem_pass_rate, minhash, prompt, problem_cluster, final_answer, loop)
}

BY_COLUMN: dict[str, Stage] = {column: stage for stage in MEASURES.values() for column in stage.gives}
"""Which measure gives a column."""

__all__ = ["BY_COLUMN", "MEASURES"]
