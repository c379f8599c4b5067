"""How far training is: a line in the log as each epoch ends, and on a terminal a bar.

Open it to change what the line and the bar say.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from qsense.runs.layout import SEPARATOR, as_facts
from qsense.runs.progress import Due, log
from qsense.runs.screen import PROGRESS, takes_bars
from qsense.runs.words import duration, percent
from qsense.tasks.base import Task

SYMBOLS = {"gamma": "γ", "mu": "μ", "epsilon": "ε"}
MOST_LEARNED = 2  # learned values that a line has room for
RECENT = 3  # epochs whose mean duration tells what the next ones take
NARROWEST = 5  # columns of a bar
REDRAWN_S = 0.1


class EpochLines(Callback):
    """Log one line as each epoch ends, and now and then one within epochs and tests that take minutes.

    `epoch 3/30 · loss 0.512 · val f1 51.2 % · γ 0.42 · 2.3 s/epoch · 1 min left`: the mean loss of training batches,
    the score after them, what the sensor has learned (means over channels), and the time until the run is tested.
    """

    def __init__(self) -> None:
        super().__init__()
        self.recent: deque[float] = deque(maxlen=RECENT)  # seconds of the last epochs
        self.began = self.validation_began = 0.0  # the epoch or the test, and its validation
        self.validation_s = 0.0  # what the last one took
        self.loss: Any = 0.0  # sum over the epoch's batches; on the device, so that nothing waits for it
        self.losses = 0
        self.due = Due()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began, self.loss, self.losses, self.due = time.monotonic(), 0.0, 0, Due()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if isinstance(outputs, dict) and "loss" in outputs:
            self.loss = self.loss + outputs["loss"].detach()
            self.losses += 1
        if self.due():
            share = (batch_idx + 1) / trainer.num_training_batches
            self.say(trainer, [epoch_of(trainer), f"{100 * share:.0f} %", *self.facts(trainer, pl_module, share)])

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validation_began = time.monotonic()

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if self.due():
            share = (batch_idx + 1) / sum(trainer.num_val_batches)
            self.say(trainer, [epoch_of(trainer), f"validating · {100 * share:.0f} %"])

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.validation_s = time.monotonic() - self.validation_began

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds = time.monotonic() - self.began
        self.recent.append(seconds)
        *facts, left = self.facts(trainer, pl_module, 1.0)
        pace = f"{seconds:.1f} s/epoch" if seconds < 60 else f"{duration(seconds)}/epoch"
        self.say(trainer, [epoch_of(trainer), *facts, pace, left])

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.began, self.due = time.monotonic(), Due()

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if self.due():
            share = (batch_idx + 1) / sum(trainer.num_test_batches)
            left = (time.monotonic() - self.began) * (1 - share) / share
            self.say(trainer, [f"testing · {100 * share:.0f} %", f"{duration(left)} left"])

    def facts(self, trainer: Trainer, module: LightningModule, share: float) -> list[str]:
        """Loss, score, learned values, and last the time left, where this share of the epoch is done."""
        accumulated = trainer.accumulate_grad_batches  # Lightning hands on each batch's share of a step's loss
        texts = [f"loss {_three(float(self.loss) * accumulated / self.losses)}"] if self.losses else []
        for name, value in trainer.progress_bar_metrics.items():
            if name.startswith("val/") and isinstance(value, int | float):
                score = name.removeprefix("val/")
                texts.append(f"val {score} {100 * value:.1f} %" if percent(score) else f"val {score} {_three(value)}")
        learned = module.sensor.trajectory() if isinstance(module, Task) else {}
        for name, values in list(learned.items())[:MOST_LEARNED]:
            texts.append(f"{SYMBOLS.get(name, name)} {_three(sum(values) / len(values))}")
        return [*texts, self.left(trainer, share)]

    def left(self, trainer: Trainer, share: float) -> str:
        """The time until the run is tested, in words, where this share of the epoch is done."""
        if self.recent:
            each = sum(self.recent) / len(self.recent)
        else:
            each = (time.monotonic() - self.began) / max(share, 1e-6)
        coming = epochs(trainer) - trainer.current_epoch - share
        # A test takes as long as a validation, as far as one can know.
        seconds = max(0.0, each * coming) + self.validation_s
        return f"{duration(seconds)} left" if 1 <= seconds < math.inf else ""

    def say(self, trainer: Trainer, texts: list[str]) -> None:
        """Log a line, in the first process alone."""
        if trainer.is_global_zero:
            log.info("%s", SEPARATOR.join(filter(None, texts)), extra=PROGRESS)


class Bar(EpochLines, ProgressBar):
    """The same lines in the log, and where the screen is a terminal a bar that fits its width.

    Args:
        leave: whether each epoch's line stays on the terminal, above the bar.
    """

    def __init__(self, leave: bool = False) -> None:
        super().__init__()
        self.leave = leave
        self.enabled = True
        self.bar: Progress | None = None  # while it is drawn
        self.drawn = 0.0

    def enable(self) -> None:
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.open(transient=False)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_start(trainer, pl_module)
        self.draw(epoch_of(trainer), 0.0, [], at_once=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self.is_due:
            share = (batch_idx + 1) / trainer.num_training_batches
            self.draw(epoch_of(trainer), share, self.facts(trainer, pl_module, share))

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        super().on_validation_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self.is_due:
            self.draw(f"{epoch_of(trainer)} validating", (batch_idx + 1) / sum(trainer.num_val_batches), [])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        self.draw(epoch_of(trainer), 1.0, self.facts(trainer, pl_module, 1.0), at_once=True)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.open(transient=True)
        self.draw("testing", 0.0, [], at_once=True)

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        super().on_test_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self.is_due:
            share = (batch_idx + 1) / sum(trainer.num_test_batches)
            left = (time.monotonic() - self.began) * (1 - share) / share
            self.draw("testing", share, [f"{duration(left)} left"])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.close()

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.close()  # before anybody prints what came of the test

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self.close()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.close()

    def say(self, trainer: Trainer, texts: list[str]) -> None:
        super().say(trainer, texts)
        if self.bar is not None and self.leave:
            line = as_facts(SEPARATOR.join(filter(None, texts)), self.bar.console.width)
            self.bar.console.print(line, highlight=False, markup=False)

    def open(self, transient: bool) -> None:
        """Begin to draw, where there is a terminal."""
        self.close()
        if self.enabled and takes_bars():
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[facts]}", markup=False),
            )
            self.bar = Progress(*columns, console=Console(), expand=True, transient=transient)
            self.bar.add_task("", total=1.0, facts="")
            self.bar.start()

    def close(self) -> None:
        """Draw no more."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None

    @property
    def is_due(self) -> bool:
        """Whether the bar is drawn, and old enough to be drawn anew."""
        return self.bar is not None and time.monotonic() - self.drawn > REDRAWN_S

    def draw(self, what: str, share: float, facts: list[str], at_once: bool = False) -> None:
        """Show how much is done of what, and as many facts as the terminal is wide enough for; the last one always."""
        if self.bar is None:
            return
        self.drawn = time.monotonic()
        facts = [f"{100 * share:3.0f} %", *(fact.removeprefix("val ") for fact in facts if fact)]
        while len(facts) > 2 and len(what) + NARROWEST + len("  ".join(facts)) + 2 > self.bar.console.width:
            del facts[-2]
        task = self.bar.task_ids[0]
        self.bar.update(task, completed=share, description=what, facts="  ".join(facts), refresh=at_once)


def epochs(trainer: Trainer) -> float:
    """How many epochs there will be, a fraction where steps end them; infinite where nobody knows."""
    by_epochs = math.inf if trainer.max_epochs in (None, -1) else float(trainer.max_epochs)
    steps = max(1, math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches))
    by_steps = math.inf if trainer.max_steps in (None, -1) else trainer.max_steps / steps
    return min(by_epochs, by_steps)


def epoch_of(trainer: Trainer) -> str:
    """ "epoch 3/30": which epoch, from one on, of how many."""
    of = epochs(trainer)
    return f"epoch {trainer.current_epoch + 1}" + (f"/{math.ceil(of)}" if math.isfinite(of) else "")


def _three(value: float) -> str:
    """Three decimals, and large numbers in three digits.

    >>> _three(0.51234), _three(-0.02), _three(123456.0)
    ('0.512', '-0.020', '1.23e+05')
    """
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"
