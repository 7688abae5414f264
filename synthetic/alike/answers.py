r"""Where texts say their answer: the last `\boxed{…}`."""

from typing import Any  # numpy's arrays

import numpy as np

from synthetic.alike.eight import compiled

_BOX = np.frombuffer(rb"\boxed{", np.uint8)
_OPEN, _CLOSE, _ESCAPE = np.uint8(ord("{")), np.uint8(ord("}")), np.uint8(ord("\\"))


@compiled
def last_box(offsets: Any, data: Any, valid: Any, places: Any) -> Any:
    r"""For each text, where the inside of its last `\boxed{…}` with balanced braces begins and ends; -1 for none."""
    for row in range(len(valid)):
        places[row, 0] = places[row, 1] = -1
        start, end = offsets[row], offsets[row + 1]
        if not valid[row]:
            continue
        at = end - len(_BOX)
        while at >= start and places[row, 0] < 0:
            same = True
            for each in range(len(_BOX)):
                if data[at + each] != _BOX[each]:
                    same = False
                    break
            if same:
                inside = at + len(_BOX)
                depth, here = 1, inside
                while here < end and depth > 0:
                    if data[here] == _ESCAPE:
                        here += 1  # \{ and \} are no braces
                    elif data[here] == _OPEN:
                        depth += 1
                    elif data[here] == _CLOSE:
                        depth -= 1
                    here += 1
                if depth == 0:
                    places[row, 0], places[row, 1] = inside, here - 1
            at -= 1
