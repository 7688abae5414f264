"""Lines are taken apart by several processes, and what they gave is used in the order in which they were read."""

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from synthetic.lines import Lines, Taken, take
from synthetic.pool import SLOTS, Pool, Ticket

Use: TypeAlias = Callable[[Taken], None]


class Turns:
    """What was read and waits for its turn. Without a pool nothing waits."""

    def __init__(self) -> None:
        self.pool: Pool | None = None
        self._most = 0
        self._waiting: deque[tuple[Ticket, Use]] = deque()

    def with_pool(self, pool: Pool, workers: int) -> None:
        """From here on, hand lines to these processes."""
        self.pool, self._most = pool, 2 * SLOTS * workers

    def lines(self, lines: Lines, use: Use) -> None:
        """Take lines apart, and use what they gave when all before it was used."""
        if self.pool is None or not self.pool.takes(lines):
            self.all()  # nothing else is held beside what is too large to be handed over
            use(take(lines))
            return
        self.pool.look()
        while self.pool.started and (not self.pool.has_room or len(self._waiting) >= self._most):
            self._settle()
            if not self.pool.has_room or len(self._waiting) >= self._most:
                self.pool.look(None)
        # Until one of them has started, this process does it.
        ticket = self.pool.hand(lines) if self.pool.has_room else Ticket(take(lines))
        self._waiting.append((ticket, use))
        self._settle()

    def then(self, act: Callable[[], None]) -> None:
        """Act when everything before was used."""
        self._waiting.append((Ticket(Taken()), lambda _: act()))
        self._settle()

    def all(self) -> None:
        """Wait until everything was used."""
        self._settle()
        while self._waiting and self.pool is not None:
            self.pool.look(None)
            self._settle()

    def _settle(self) -> None:
        while self._waiting and (taken := self._waiting[0][0].taken) is not None:
            _, use = self._waiting.popleft()
            use(taken)
