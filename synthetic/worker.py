"""A process that takes lines apart for a capture (`pool`): it reads requests until its input ends.

It is told which files hold its requests and its answers; what goes over its pipes is where in them to look.
"""

import gc
import os
import signal
from collections.abc import Sequence
from io import FileIO

from synthetic.lines import take
from synthetic.pool import MESSAGE, answer, read, requested, write


def main(files: Sequence[str]) -> None:
    """Answer until nobody asks; `files` are the numbers of requests' files, then of answers'."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks ends first, and then this
    opened = [FileIO(int(number), "r+b") for number in files]
    requests, answers = opened[: len(opened) // 2], opened[len(opened) // 2 :]
    gc.freeze()  # what was imported is never looked through again
    os.write(1, b"\n")
    while len(message := os.read(0, MESSAGE.size)) == MESSAGE.size:
        slot, size, whole = MESSAGE.unpack(message)
        head, streams = answer(take(requested(read(requests[slot], whole), size)))
        file = answers[slot]
        file.seek(0)
        whole = write(file, head) + sum(write(file, stream) for stream in streams)
        os.write(1, MESSAGE.pack(slot, len(head), whole))
