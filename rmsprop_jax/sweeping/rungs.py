"""Where a search by halving stands, and how it goes on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rmsprop_jax.sweeping.brackets import Bracket
from rmsprop_jax.sweeping.stretches import Carry, Metrics, Stretches
from rmsprop_jax.sweeping.table import Mode, row
from rmsprop_jax.sweeping.trials import Trial


class Search:
    """Brackets, one after another, rung by rung."""

    def __init__(
        self,
        trials: Sequence[Trial],
        stretches: Sequence[Stretches],
        brackets: Sequence[Bracket],
        *,
        metric: str,
        mode: Mode,
    ):
        """A search that has not begun."""
        self._brackets, self._stretches = brackets, stretches
        self._metric, self._sign = metric, 1 if mode == "min" else -1
        self._by_point: dict[int, list[Trial]] = {}
        for trial in trials:
            self._by_point.setdefault(trial.point, []).append(trial)
        self._metrics: dict[int, Metrics] = {}
        self._steps: dict[int, int] = {}
        self._carries: dict[int, Carry] = {}
        self._bracket = self._rung = 0
        self._alive = self._first_points()

    @property
    def ended(self) -> bool:
        """Whether all brackets have come to their end."""
        return self._bracket == len(self._brackets)

    def rung(self) -> list[dict[str, Any]]:
        """Train who is alive to the end of the rung, and choose who stays so."""
        bracket, rung = self._brackets[self._bracket], self._rung
        start = bracket.steps[rung - 1] if rung else 0
        members = [trial for point in self._alive for trial in self._by_point[point]]
        for stretches in self._stretches:
            ours = {trial.index for trial in stretches.group.trials}
            trials = [trial for trial in members if trial.index in ours]
            if not trials:
                continue
            carries = [self._carries[t.index] for t in trials] if start else []
            ended = stretches.advance(trials, carries, start, bracket.steps[rung])
            for trial, (carry, metrics) in zip(trials, ended, strict=True):
                self._carries[trial.index] = carry
                self._add(trial, metrics)
                self._steps[trial.index] = bracket.steps[rung]
        rows = [self.row(trial)[0] for trial in members]
        self._choose(bracket)
        return rows

    def row(self, trial: Trial) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """A trial's row and curves, as far as it came."""
        first = np.cumsum([bracket.counts[0] for bracket in self._brackets])
        bracket = int(np.searchsorted(first, trial.point, side="right"))
        steps = self._steps[trial.index]
        return row(trial, self._metrics[trial.index], bracket=bracket, steps=steps)

    def snapshot(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that has to be kept to go on from here."""
        facts = {
            "bracket": self._bracket,
            "rung": self._rung,
            "alive": self._alive,
            "steps": list(self._steps.items()),
        }
        arrays = {
            f"metric {index} {name}": np.asarray(value)
            for index, metrics in self._metrics.items()
            for name, value in metrics.items()
        }
        arrays |= {
            f"carry {index} {i}": np.asarray(leaf)
            for index, leaves in self._carries.items()
            for i, leaf in enumerate(leaves)
        }
        return facts, arrays

    def restore(
        self, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Go on from a snapshot."""
        self._bracket, self._rung = facts["bracket"], facts["rung"]
        self._alive, self._steps = facts["alive"], dict(facts["steps"])
        for key, value in arrays.items():
            kind, index, name = key.split(" ", 2)
            if kind == "metric":
                metrics = dict(self._metrics.get(int(index), {}))
                self._metrics[int(index)] = {**metrics, name: value}
            else:
                self._carries.setdefault(int(index), []).append(value)

    def _first_points(self) -> list[int]:
        if self.ended:
            return []
        before = sum(b.counts[0] for b in self._brackets[: self._bracket])
        return list(range(before, before + self._brackets[self._bracket].counts[0]))

    def _add(self, trial: Trial, metrics: Metrics) -> None:
        before = self._metrics.get(trial.index, {})
        self._metrics[trial.index] = {
            name: np.concatenate([before[name], value])
            if np.ndim(value) and before
            else value
            for name, value in metrics.items()
        }

    def _choose(self, bracket: Bracket) -> None:
        """Who goes on to the next rung, or who begins the next bracket."""
        self._rung += 1
        last = self._rung == len(bracket.counts)
        scores = {} if last else {point: self._score(point) for point in self._alive}
        sound = [point for point in scores if not math.isnan(scores[point])]
        if sound:
            # Equal ones stay in their order.
            best = sorted(sound, key=lambda point: scores[point])
            self._alive = sorted(best[: bracket.counts[self._rung]])
        else:
            self._bracket, self._rung = self._bracket + 1, 0
            self._alive = self._first_points()
        alive = {t.index for point in self._alive for t in self._by_point[point]}
        self._carries = {i: c for i, c in self._carries.items() if i in alive}

    def _score(self, point: int) -> float:
        rows = [self.row(trial)[0] for trial in self._by_point[point]]
        if any(row["diverged"] for row in rows):
            return math.nan
        return self._sign * math.fsum(row[self._metric] for row in rows) / len(rows)
