"""The made-up shop's world: who visits, what they look at next, and how likely that was.

Every item belongs to a department and has a style. Two routes lead through all departments: the last two items tell
which one a visitor is on, the last item alone does not. The style is the visitor's taste, which drifts from day to
day. Nobody looks at an item twice, but may put it in the cart, and then buy it.

One number, the seed, makes everything; a day is the same however many are asked for.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, Field, PositiveInt

DEPARTMENTS, STYLES = 7, 4
ROUTES = (1, 3)
"""Departments by which each route goes on, modulo a prime: every route passes all of them."""
FOLLOWS = 0.95
"""Chance that the next item is of the route's next department; of any department otherwise."""
TASTE_STRENGTH, TASTE_DRIFT = 3.0, 0.15
"""How far tastes are from indifference, and how much of a taste is new every day."""
ITEM_SPREAD = 0.5
"""Standard deviation of the logarithm of an item's weight among those of its department and style."""

STAYS, VISITS = 0.95, 0.7
"""Chance that a customer is still one tomorrow, and that a customer visits on a day."""
MEAN_VIEWS, MOST_VIEWS = 7, 25
CARTS, BUYS = 0.15, 0.4
"""Chance that an item viewed goes into the cart, and that one in the cart is bought."""
LAST_START, LONGEST_LOOK = 20 * 3600, 500
"""Seconds: latest start of a visit in its day, and longest time at one item; no visit goes on past midnight."""

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


class WorldConfig(BaseModel, frozen=True, extra="forbid"):
    """What a world is made from."""

    seed: int = Field(1, ge=0, description="Another seed, another world.")
    first_day: date = Field(date(2026, 1, 1), description="UTC day of the first file.")
    users: PositiveInt = Field(1_500, description="Customers on any day; 5 % of them are new.")
    items: int = Field(300, ge=100, description="Items on the first day; 1 % as many are added every day.")


class World:
    """The shop as it is on one day; `next_day` moves it on.

    Shape letters: U customers so far, M items so far, V visitors, D departments, S styles.

    Attributes:
        day: The day simulated last, UTC.
    """

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        self.day = config.first_day - timedelta(days=1)
        self._next_DDD = _next_department()
        self._liking_US = np.empty((0, STYLES))
        self._is_customer_U = np.empty(0, dtype=bool)
        self._last_two_U2 = np.empty((0, 2), dtype=np.int64)
        self._department_M = np.empty(0, dtype=np.int64)
        self._style_M = np.empty(0, dtype=np.int64)
        self._weight_M = np.empty(0)
        self._price_M = np.empty(0)
        self._seen_UM = np.empty((0, 0), dtype=bool)
        self._grow(np.random.default_rng(config.seed), users=config.users, items=config.items)

    @property
    def taste_US(self) -> Floats:  # noqa: N802
        """How much each customer so far likes each style today, (U, S); rows sum to 1."""
        strength_US = np.exp(TASTE_STRENGTH * self._liking_US)
        taste_US: Floats = strength_US / strength_US.sum(axis=1, keepdims=True)
        return taste_US

    def next_day(self) -> pl.DataFrame:
        """Simulate the next day.

        Returns:
            Its events in order of time: ``user``, ``item`` (int64, from 0), ``event``, ``timestamp`` (us, UTC),
            ``value`` (the price; null for a view), ``rank`` (int64: how many items not yet seen were likelier than
            this one; null for a repeat, and for a customer's very first event).
        """
        self.day += timedelta(days=1)
        rng = np.random.default_rng([self.config.seed, self.day.toordinal()])
        if self.day > self.config.first_day:
            self._turn_over(rng)
        midnight = pl.lit(self.day).cast(pl.Datetime("us", "UTC"))
        return (
            self._with_carts(self._views(rng), rng)
            .with_columns(timestamp=midnight + pl.duration(seconds="second"))
            .sort("timestamp", "user")
            .select("user", "item", "event", "timestamp", "value", "rank")
        )

    def _turn_over(self, rng: np.random.Generator) -> None:
        """Let customers go and come, tastes drift, and items arrive."""
        self._is_customer_U &= rng.random(len(self._is_customer_U)) < STAYS
        drift_US = rng.standard_normal(self._liking_US.shape)
        self._liking_US = np.sqrt(1 - TASTE_DRIFT**2) * self._liking_US + TASTE_DRIFT * drift_US
        users = round(self.config.users * (1 - STAYS))
        self._grow(rng, users=max(users, 1), items=-(-self.config.items // 100))

    def _grow(self, rng: np.random.Generator, *, users: int, items: int) -> None:
        self._liking_US = np.concatenate([self._liking_US, rng.standard_normal((users, STYLES))])
        self._is_customer_U = np.concatenate([self._is_customer_U, np.ones(users, dtype=bool)])
        self._last_two_U2 = np.concatenate([self._last_two_U2, np.full((users, 2), DEPARTMENTS)])
        cell = rng.permutation(items) % (DEPARTMENTS * STYLES)
        self._department_M = np.concatenate([self._department_M, cell // STYLES])
        self._style_M = np.concatenate([self._style_M, cell % STYLES])
        self._weight_M = np.concatenate([self._weight_M, rng.lognormal(0, ITEM_SPREAD, items)])
        self._price_M = np.concatenate([self._price_M, rng.lognormal(3, 1, items).round(2)])
        self._seen_UM = np.pad(self._seen_UM, ((0, users), (0, items)))

    def _chance(self, who_V: Numbers) -> Floats:
        """Weight (V, M) with which each item is looked at next, given the last two, the taste, and what was seen."""
        cell_M = self._department_M * STYLES + self._style_M
        share_M = self._weight_M / np.bincount(cell_M, self._weight_M)[cell_M]
        next_VD = self._next_DDD[self._last_two_U2[who_V, 0], self._last_two_U2[who_V, 1]]
        chance_VM: Floats = next_VD[:, self._department_M] * self.taste_US[who_V][:, self._style_M] * share_M
        return chance_VM * ~self._seen_UM[who_V]

    def _views(self, rng: np.random.Generator) -> pl.DataFrame:
        """Let today's visitors look at one item after another, all of them at once at each step."""
        unseen_U = (~self._seen_UM).sum(axis=1)
        comes_U = self._is_customer_U & (unseen_U >= MOST_VIEWS) & (rng.random(len(unseen_U)) < VISITS)
        who_V = np.flatnonzero(comes_U)
        views_V = np.minimum(rng.geometric(1 / MEAN_VIEWS, len(who_V)), MOST_VIEWS)
        second_V = rng.integers(0, LAST_START, len(who_V))
        steps = []
        for step in range(views_V.max(initial=1)):
            still_V = views_V > step
            second_V[still_V] += rng.integers(60, LONGEST_LOOK, still_V.sum())
            viewed = self._view(who_V[still_V], rng)
            steps.append(viewed.with_columns(pl.Series("second", second_V[still_V])))
        return pl.concat(steps)

    def _view(self, who_V: Numbers, rng: np.random.Generator) -> pl.DataFrame:
        chance_VM = self._chance(who_V)
        upto_VM = chance_VM.cumsum(axis=1)
        item_V = (upto_VM <= rng.random((len(who_V), 1)) * upto_VM[:, -1:]).sum(axis=1)
        rank_V = (chance_VM > np.take_along_axis(chance_VM, item_V[:, None], axis=1)).sum(axis=1)
        last_V = self._last_two_U2[who_V, 1]
        self._seen_UM[who_V, item_V] = True
        self._last_two_U2[who_V] = np.stack([last_V, self._department_M[item_V]], axis=1)
        is_first = pl.Series(last_V == DEPARTMENTS)
        return pl.DataFrame({"user": who_V, "item": item_V, "rank": rank_V}).with_columns(
            rank=pl.when(~is_first).then("rank")
        )

    def _with_carts(self, views: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
        """Add the carts and buys that follow some views within a minute."""
        price = pl.Series(self._price_M[views["item"].to_numpy()])
        views = views.with_columns(event=pl.lit("view"), value=pl.lit(None, pl.Float64))
        again = views.with_columns(value=price, rank=pl.lit(None, pl.Int64))
        carts = again.filter(rng.random(len(again)) < CARTS)
        buys = carts.filter(rng.random(len(carts)) < BUYS)
        carts = carts.with_columns(event=pl.lit("cart"), second=pl.col("second") + 20)
        buys = buys.with_columns(event=pl.lit("buy"), second=pl.col("second") + 40)
        return pl.concat([views, carts, buys], how="diagonal")


def _next_department() -> Floats:
    """Chance (D + 1, D + 1, D) of the next department after two; the last index stands for nowhere yet."""
    chance_DDD = np.full((DEPARTMENTS + 1, DEPARTMENTS + 1, DEPARTMENTS), (1 - FOLLOWS) / DEPARTMENTS)
    chance_DDD[:, DEPARTMENTS] = 1 / DEPARTMENTS
    for before, last in np.ndindex(DEPARTMENTS + 1, DEPARTMENTS):
        step = (last - before) % DEPARTMENTS
        possible = (step,) if before < DEPARTMENTS and step in ROUTES else ROUTES
        for route in possible:
            chance_DDD[before, last, (last + route) % DEPARTMENTS] += FOLLOWS / len(possible)
    return chance_DDD
