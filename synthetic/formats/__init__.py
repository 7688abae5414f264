"""The log formats, one file each, and how a run's logs are found.

To add a format, write one file that ends in a `FORMAT` and add it to `OWN`; or a column map in `pipelines/maps/`.
"""

from synthetic.formats import (
    chat,
    genesys,
    inspect_ai,
    maps,
    nemo_gym,
    nemo_rl,
    open_instruct,
    prime_rl,
    prime_rl_rollouts,
    prime_rl_stream,
    prime_samples,
    synthetic_tables,
    trl,
    verl,
    vf_eval,
    vf_legacy,
    zeroband,
)
from synthetic.formats.format import BadLine, Format, Parsed, Place, Source
from synthetic.formats.line import repaired

OWN = (
    prime_rl.FORMAT,
    prime_rl_stream.FORMAT,
    prime_rl_rollouts.FORMAT,
    prime_samples.FORMAT,
    zeroband.FORMAT,
    vf_eval.FORMAT,
    verl.FORMAT,
    trl.FORMAT,
    inspect_ai.FORMAT,
    open_instruct.FORMAT,
    nemo_gym.FORMAT,
    nemo_rl.FORMAT,
    chat.FORMAT,
    vf_legacy.FORMAT,
    genesys.FORMAT,
    synthetic_tables.FORMAT,
)

FORMATS: dict[str, Format] = {format.name: format for format in (*OWN, *maps.shipped())}
"""Which of them a file is of: one whose `find` knows its path and whose `recognises` knows a line of it."""

__all__ = ["FORMATS", "BadLine", "Format", "Parsed", "Place", "Source", "repaired"]
