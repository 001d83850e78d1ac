"""Colour and progress on a terminal; plain lines everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from intentc.plan_text import Line, number
from reconciler.plan import Plan

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from reconciler.apply import Event as Progressed


def show(lines: Iterable[Line]) -> None:
    """Print lines, with colour where standard output is a terminal that wants it (NO_COLOR is respected)."""
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{line.text}\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines:
        console.print(Text(line.text, style=line.style), soft_wrap=True)


class Display:
    """Shows how far an apply is: a bar per target on a terminal, a line per phase elsewhere.

    What takes long, as waiting for agents does, is said again and again.
    """

    def __init__(self, plan: Plan, often: float = 15.0) -> None:
        """Count what each target has to do, and number the phases that there are; `often` is in seconds."""
        phases = sorted({action.phase for action in plan.actions})
        self.phases = {phase: f"phase {index} of {len(phases)}" for index, phase in enumerate(phases, 1)}
        self.totals: dict[str, int] = {}
        for action in plan.actions:
            self.totals[action.target] = self.totals.get(action.target, 0) + 1
        self.progress: Progress | None = None
        self.tasks: dict[str, TaskID] = {}
        self.often = often
        self.running: dict[str, tuple[int, float]] = {}
        """The phase that a target is in, and since when."""
        self.over = Event()
        self.reminder = Thread(target=self._remind, daemon=True)

    def __enter__(self) -> Self:
        """Begin to draw, where there is a terminal."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, TimeElapsedColumn

            columns = (*Progress.get_default_columns(), TimeElapsedColumn())
            self.progress = Progress(*columns, console=Console(stderr=True))
            self.progress.start()
            self.tasks = {
                target: self.progress.add_task(target, total=total) for target, total in self.totals.items()
            }
        else:
            self.reminder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self.over.set()
        if self.progress:
            self.progress.stop()

    def _remind(self) -> None:
        while not self.over.wait(self.often):
            now = time.monotonic()
            for target, (phase, since) in sorted(self.running.copy().items()):
                if now - since >= self.often / 2:
                    with suppress(OSError):
                        words = f"still at work after {now - since:.0f} s"
                        sys.stderr.write(f"{target}: {self.phases[phase]}: {words}\n")

    def __call__(self, event: Progressed) -> None:
        """Show one event; where nobody can be told any more, the apply goes on all the same."""
        with suppress(OSError):
            self._show(event)

    def _show(self, event: Progressed) -> None:
        from reconciler.apply import Finished, Retrying, Started

        text = ""
        match event:
            case Started(target, phase, actions):
                self.running[target] = phase, time.monotonic()
                text = f"{target}: {self.phases[phase]}: {number(actions, 'object')}"
            case Retrying(target, phase, attempt, wait, why):
                text = (
                    f"{target}: {self.phases[phase]}: attempt {attempt} failed ({why}); again in {wait:g} s"
                )
            case Finished(target, phase, outcomes):
                self.running.pop(target, None)
                failed = sum(outcome.status != "done" for outcome in outcomes)
                how = f"{failed:,} of {len(outcomes):,} not done" if failed else "done"
                text = f"{target}: {self.phases[phase]}: {how}"
                if self.progress:
                    self.progress.advance(self.tasks[target], len(outcomes))
        if self.progress is None:
            sys.stderr.write(text + "\n")
        elif isinstance(event, Retrying):
            self.progress.console.print(text)
