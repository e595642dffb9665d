"""Daily values of metrics over years, with incidents planted in them and the list of these.

It stands in for `int_core__metric_values`: same columns, any metrics. A metric has a level, growth,
a weekday profile (a clinic's or an app's), a yearly wave, public holidays of their own, a common
noise of each day, a noise of each segment, and counting noise on top.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

AGES = (1, 7, 28)
COLUMNS = (
    "metric_date", "metric", "segment_type", "segment", "age_days", "numerator", "denominator",
    "value", "load_id",
)  # fmt: skip
# a day's segment must count this much before an incident in it is worth an alarm
WORTH = 150
# how many of its usual deviations an incident moves a day at least, and by how much of its level
CLEAR, SHARE = 7.0, 0.25


@dataclass(frozen=True)
class Metric:
    """`shape`: sum, share (numerator is part of the denominator) or ratio. `segments`: how many of
    which type; `is_money`: a sum of amounts, not of things; `is_restated`: grows with age."""

    name: str
    shape: str = "sum"
    segment_type: str | None = None
    is_money: bool = False
    is_restated: bool = False


@dataclass(frozen=True)
class Incident:
    """Something that happened to a metric, in all of it (`segment` is None) or in one segment.

    `kind`: spike, drop or leak; `factor` on the sum or the ratio, or on the odds of a share."""

    metric: str
    segment: str | None
    kind: str
    first: date
    last: date
    factor: float


@dataclass(frozen=True)
class History:
    """`values` has the COLUMNS."""

    values: pa.Table
    incidents: list[Incident]


def history(
    metrics: Sequence[Metric],
    holidays: Iterable[date],
    last: date,
    days: int,
    seed: int,
    judged: int = 365,
    incidents_each: float = 2.0,
) -> History:
    """Values of `days` days up to `last`; incidents lie in the last `judged` of them.

    `incidents_each` is how many a metric has on average (at most three); 0 is a quiet time.
    """
    rng = np.random.default_rng(seed)
    dates = np.array([last - timedelta(days=days - 1 - i) for i in range(days)])
    off = np.isin(dates, np.array(list(holidays)))
    pieces: list[dict[str, np.ndarray]] = []
    planted: list[Incident] = []
    for metric in metrics:
        series = _Series(metric, dates, off, rng)
        if incidents_each:
            planted += series.plant(judged, incidents_each)
        pieces += series.rows()
    table = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    table["denominator"] = pa.array(table["denominator"], from_pandas=True)  # nan is null
    values = np.where(table.pop("is_ratio"), table["ratio"], table["numerator"])
    table["value"] = pa.array(values, from_pandas=True)
    del table["ratio"]
    return History(pa.table(table).select(COLUMNS), planted)


class _Series:
    """One metric: its segments side by side, days by segments."""

    def __init__(
        self, metric: Metric, dates: np.ndarray, off: np.ndarray, rng: np.random.Generator
    ):
        self.metric, self.dates, self.off, self.rng = metric, dates, off, rng
        days = len(dates)
        self.names = [f"s{i}" for i in range(int(rng.integers(3, 7)))]
        if metric.segment_type is None:
            self.names = ["s0"]
        self.weights = np.sort(rng.dirichlet(np.full(len(self.names), 3.0)))[::-1]
        weekday = np.array([day.weekday() for day in dates])
        if rng.random() < 0.5:  # a clinic's week, an app's week
            profile = np.array([1.15, 1, 1, 0.95, 1.05, 0.6, rng.choice([0.0, 0.1, 0.25])])
            holiday = rng.uniform(0.05, 0.5)
        else:
            profile = rng.uniform(0.85, 1.15, 7)
            holiday = rng.uniform(0.7, 1.2)
        t = np.arange(days) / 365
        level = np.exp(rng.uniform(np.log(3), np.log(20000)))
        growth = rng.uniform(-0.15, 0.5)
        self.level = (
            level
            * (1 + growth) ** t
            * (1 + rng.uniform(0, 0.06) * np.sin(2 * np.pi * (t + rng.random())))
            * np.where(off, holiday * np.exp(rng.normal(0, 0.12, days)), profile[weekday])
        )
        self.common = rng.uniform(0.01, 0.06)  # the noise that all segments have of a day
        self.own = rng.uniform(0.01, 0.06)
        # a share's or a ratio's level, and the noise of it
        self.rate = rng.uniform(0.02, 0.9) if metric.shape == "share" else np.exp(
            rng.uniform(np.log(0.2), np.log(20000))
        )  # fmt: skip
        self.price = np.exp(rng.uniform(np.log(10), np.log(50000))) if metric.is_money else 1.0
        self.effect = np.zeros((days, len(self.names)))  # on the logarithm, or on the log-odds

    def plant(self, judged: int, each: float) -> list[Incident]:
        """Incidents a hundred days apart, so that one's aftermath is no other's history."""
        rng, days = self.rng, len(self.dates)
        found = []
        room = [max(days - judged, 0) + 5 + 120 * i for i in range(3)]
        for start in room:
            if rng.random() > each / len(room):
                continue
            kind = str(rng.choice(["spike", "drop", "leak"], p=[0.4, 0.4, 0.2]))
            length = int(rng.integers(21, 36)) if kind == "leak" else int(rng.integers(1, 5))
            segment = None if rng.random() < 0.6 else int(rng.integers(len(self.names)))
            first = start + int(rng.integers(0, 20))
            while first < days - length - 8 and not self._worth(first, length, segment):
                first += 1
            if not self._worth(first, length, segment) or first > start + 40:
                continue
            size = self._size(kind, first, length, segment)
            if not size:
                continue
            sign = 1 if kind == "spike" else -1
            columns = slice(None) if segment is None else slice(segment, segment + 1)
            if kind == "leak":
                slope = np.minimum(np.arange(days - first) + 1, length) / length
                self.effect[first:, columns] += sign * size * slope[:, None]
            else:
                self.effect[first : first + length, columns] += sign * size
            name = None if segment is None or len(self.names) == 1 else self.names[segment]
            last = self.dates[first + length - 1]
            found.append(Incident(
                self.metric.name, name, kind, self.dates[first], last, float(np.exp(sign * size))
            ))  # fmt: skip
        return found

    def _counts(self, first: int, length: int, segment: int | None) -> np.ndarray:
        weight = 1.0 if segment is None else self.weights[segment]
        return self.level[first : first + length] * weight

    def _worth(self, first: int, length: int, segment: int | None) -> bool:
        """Enough happens on its first day, which is an ordinary day."""
        if first + length >= len(self.off) or self.off[first]:
            return False
        return bool(self._counts(first, 1, segment)[0] >= WORTH)

    def _size(self, kind: str, first: int, length: int, segment: int | None) -> float:
        """On the logarithm or the log-odds: well above what noise and chance do to a day."""
        counts = self._counts(first, 1, segment)[0]
        chance = 1 / counts
        if self.metric.shape == "share":
            chance = 1 / (counts * self.rate) + 1 / (counts * (1 - self.rate))
        usual = np.sqrt(self.common**2 + self.own**2 + chance)
        if kind == "leak":
            return float(self.rng.uniform(0.3, 0.6))
        least = max(CLEAR * usual, SHARE)
        if kind == "drop":
            # nothing drops by more than all of it: what would have to isn't worth an alarm
            return float(-np.log(1 - self.rng.uniform(least, 0.95))) if least < 0.8 else 0.0
        return float(np.log1p(self.rng.uniform(least, least + 1.0)))

    def rows(self) -> list[dict[str, np.ndarray]]:
        """The table's columns, by age and segment; the total adds the segments up."""
        rng, shape, days = self.rng, self.metric.shape, len(self.dates)
        noise = rng.normal(0, self.common, days)[:, None] + rng.normal(
            0, self.own, self.effect.shape
        )
        base = self.level[:, None] * self.weights
        below: np.ndarray | None = None
        if shape == "sum":
            # a day's own factor, and chance: counts spread wider than chance alone would
            above = rng.poisson(base * np.exp(noise + self.effect)).astype(float)
        else:
            below = rng.poisson(base * np.exp(rng.normal(0, self.common, base.shape))).astype(float)
            if shape == "share":
                odds = np.log(self.rate / (1 - self.rate)) + noise + self.effect
                above = rng.binomial(below.astype(int), 1 / (1 + np.exp(-odds))).astype(float)
            else:
                of_one = rng.normal(0, 0.5 / np.sqrt(np.maximum(below, 1)))
                above = below * self.rate * np.exp(noise + of_one + self.effect)
        if self.metric.is_money:
            each = rng.normal(0, 0.4 / np.sqrt(np.maximum(above, 1)))
            above = above * self.price * np.exp(each)
        found = []
        if not self.metric.is_restated:
            return self._told(above, below, 0)
        youngest = rng.uniform(0.5, 0.95)
        for age in AGES:
            known = np.minimum(1, youngest + (1 - youngest) * (1 - np.exp(-(age - 1) / 5)))
            share = np.minimum(1, known * np.exp(rng.normal(0, 0.015, above.shape)))
            old = slice(0, days - age)
            found += self._told(
                np.round((above * share)[old], 0), None if below is None else below[old], age
            )
        return found

    def _told(
        self, above: np.ndarray, below: np.ndarray | None, age: int
    ) -> list[dict[str, np.ndarray]]:
        parts = [("total", "total", slice(None))]
        if self.metric.segment_type:
            parts += [
                (self.metric.segment_type, name, slice(i, i + 1))
                for i, name in enumerate(self.names)
            ]
        found = []
        for segment_type, segment, columns in parts:
            numerator = np.round(above[:, columns].sum(axis=1), 6)
            many = len(numerator)
            denominator = np.full(many, np.nan)
            if below is not None:
                denominator = below[:, columns].sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(denominator > 0, numerator / denominator, np.nan)
            found.append({
                "metric_date": self.dates[:many],
                "metric": np.full(many, self.metric.name),
                "segment_type": np.full(many, segment_type),
                "segment": np.full(many, segment),
                "age_days": np.full(many, age),
                "numerator": numerator,
                "denominator": denominator,
                "ratio": ratio,
                "is_ratio": np.full(many, below is not None),
                "load_id": np.ones(many, dtype=np.int64),
            })  # fmt: skip
        return found
