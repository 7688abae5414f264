"""A process that takes lines apart for a capture (`pool`): it reads requests until its input ends.

It is told which files hold its requests and its answers; what goes over its pipes is where in them to look.
"""

import gc
import os
import signal
from collections.abc import Sequence
from io import FileIO

from synthetic.lines import take
from synthetic.pool import MESSAGE, Slot, answer, requested


def main(files: Sequence[str]) -> None:
    """Answer until nobody asks; `files` are the numbers of requests' files, then of answers'."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks ends first, and then this
    slots = [Slot(FileIO(int(number), "r+b")) for number in files]
    requests, answers = slots[: len(slots) // 2], slots[len(slots) // 2 :]
    gc.freeze()  # what was imported is never looked through again
    os.write(1, b"\n")
    while len(message := os.read(0, MESSAGE.size)) == MESSAGE.size:
        slot, size, whole = MESSAGE.unpack(message)
        head, frames = answer(take(requested(requests[slot].get(whole), size)))
        os.write(1, MESSAGE.pack(slot, len(head), answers[slot].put([head, *frames])))
