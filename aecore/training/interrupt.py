"""Ctrl-C, answered between two steps.

Inside a step, weights, optimiser and random streams belong to different moments: a model stopped
there is neither the one before nor the one after, and a checkpoint of it could not be resumed.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class AfterTheStep:
    """While this context lasts, the first Ctrl-C only sets ``asked``; the second does not wait.

    Signals reach the main thread only; elsewhere, and where the program ignores Ctrl-C, nothing
    is changed.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.asked = False
        here = threading.current_thread() is threading.main_thread()
        self._before = signal.getsignal(signal.SIGINT) if enabled and here else None

    def __enter__(self) -> Self:
        if callable(self._before):
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if callable(self._before):
            signal.signal(signal.SIGINT, self._before)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
