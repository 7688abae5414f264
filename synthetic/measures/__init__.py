"""The measures, one file each: columns added to facts. To add one, write its file and a line here."""

from synthetic.measures.conversation import conversation
from synthetic.measures.final_answer import final_answer
from synthetic.measures.foreign_share import foreign_share
from synthetic.measures.loop import loop
from synthetic.measures.minhash import minhash
from synthetic.measures.problem_cluster import problem_cluster
from synthetic.measures.problem_pass_rate import problem_pass_rate
from synthetic.measures.prompt import prompt
from synthetic.measures.suspicions import suspicions
from synthetic.measures.thinking import thinking
from synthetic.measures.verdict import verdict
from synthetic.stage import Stage

MEASURES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        verdict,
        problem_pass_rate,
        problem_cluster,
        prompt,
        conversation,
        minhash,
        final_answer,
        thinking,
        loop,
        foreign_share,
        suspicions,
    )
}

BY_COLUMN: dict[str, Stage] = {column: stage for stage in MEASURES.values() for column in stage.gives}
"""Which measure gives a column."""

__all__ = ["BY_COLUMN", "MEASURES"]
