"""The log formats, one file each, and how a run's logs are found.

To add a format, write one file that ends in a `FORMAT` and add it to `FORMATS`.
"""

from synthetic.formats import prime_rl, vf_eval
from synthetic.formats.format import BadLine, Format, Parsed, Source
from synthetic.formats.line import repaired

FORMATS: dict[str, Format] = {format.name: format for format in (prime_rl.FORMAT, vf_eval.FORMAT)}
"""Tried in this order: the first whose `find` knows a path and whose `recognises` knows its first line has
it."""

__all__ = ["FORMATS", "BadLine", "Format", "Parsed", "Source", "repaired"]
