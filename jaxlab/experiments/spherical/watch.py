"""Early stopping: the best state by validation, which a killed training does not lose."""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.training import (
    TrainState,
    checkpoint_steps,
    read_history,
    restore_checkpoint,
    save_checkpoint,
)

__all__ = ["PlateauReachedError", "Watch"]


class PlateauReachedError(Exception):
    """Ends a training early."""


class Watch:
    """The validation score during a training, and the state in which it was best.

    Args:
        evaluate: the score of parameters and running statistics.
        state: the state before the first step.
        checkpoint_dir: of the training.
        every: steps between looks.
        save_every: steps between its checkpoints, a multiple of those between looks.
        patience: looks in a row without a better score that make a plateau.
        early: whether a plateau ends the training.

    Attributes:
        seconds: wall-clock time of all steps up to the last look, without looks and checkpoints;
            those between a look and the end of a process count as much as other steps.
    """

    def __init__(
        self,
        evaluate: Callable[[Any, Any], float],
        state: TrainState,
        checkpoint_dir: Path,
        *,
        every: int,
        save_every: int,
        patience: int,
        early: bool,
    ) -> None:
        self.evaluate, self.every, self.save_every = evaluate, every, save_every
        self.patience, self.early = patience, early
        self.folder = checkpoint_dir / "best"
        self.metrics_path = checkpoint_dir / "metrics.jsonl"
        self.seconds = 0.0
        self._since: float | None = None  # None while the clock stands
        self._untimed = 0  # steps of earlier processes before the first look
        self.scores: list[tuple[int, float]] = []
        self.best = state
        self._resume(checkpoint_dir, state)

    def _resume(self, checkpoint_dir: Path, state: TrainState) -> None:
        done = checkpoint_steps(checkpoint_dir)
        if done and done[-1] < self.every:  # stopped before the first look
            self._untimed = done[-1]
            return
        if done:
            looks = [
                record
                for record in read_history(self.metrics_path)
                if "eval/seconds" in record and record["step"] <= done[-1]
            ]
            self.scores = [(int(record["step"]), record["eval/validation"]) for record in looks]
            found = restore_checkpoint(self.folder, state) if self.scores else None
            if found is not None and int(found.state.step) == self.scores[self._place()][0]:
                self.best = found.state
                # steps between the last look and the checkpoint took as long as those before
                self.seconds = looks[-1]["eval/seconds"] * done[-1] / looks[-1]["step"]
                return
        # without the best state so far the rest of a training is of no use
        shutil.rmtree(checkpoint_dir, ignore_errors=True)
        checkpoint_dir.mkdir(parents=True)
        self.scores = []

    def _place(self) -> int:
        return int(np.argmax([value for _, value in self.scores]))

    @property
    def score(self) -> float:
        """The best one."""
        return self.scores[self._place()][1]

    @property
    def idle(self) -> int:
        """Looks since then."""
        return len(self.scores) - 1 - self._place()

    def start(self) -> None:
        """Let the clock of the steps run, which each look stops."""
        if self._since is None:
            self._since = time.perf_counter()

    def look(self, state: TrainState) -> Mapping[str, float]:
        """Score a state; called by the loop."""
        jax.block_until_ready(state)
        if self._since is not None:
            self.seconds += time.perf_counter() - self._since
            self._since = None
        step = int(state.step)
        self.seconds *= step / (step - self._untimed)  # those steps took as long as the others
        self._untimed = 0
        self.scores.append((step, self.evaluate(state.params, state.model_state)))
        if self.idle == 0:
            self.best = jax.tree.map(jnp.copy, state)
        if self.early and self.idle >= self.patience:  # what is kept belongs to the last checkpoint
            raise PlateauReachedError
        if step % self.save_every == 0:  # before the loop's own checkpoint
            self.save()
        return {"validation": self.scores[-1][1], "seconds": self.seconds}

    def save(self) -> None:
        """Keep the best state, unless it is kept already."""
        if self.scores and int(self.best.step) not in checkpoint_steps(self.folder):
            save_checkpoint(self.folder, self.best, keep=1)
