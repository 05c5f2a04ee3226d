"""When a record arrives: most on the day they are written down, some later, some corrected.

Belongs here: late arrivals and corrections. Does not belong here: what is wrong with a record that
arrives (`defect_injection`), nor whole files (`duplicate_files`).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from bridge_cart_assets.generator.defects import Defect, How, Share
from bridge_cart_assets.generator.rng import Flags, Stream, counts_per_day, for_each_day
from bridge_cart_assets.generator.transactions import DAY, SALE

LATE_WITHIN, CORRECTED_WITHIN = 60, 14
NONE = -1


class Deliveries:
    """The way of a source's records to the landing zone, in blocks of whole days.

    A delivered record has its own columns, and lands and settled (days since the start: when it
    arrives, and when what is wrong with it has been put right), defect (the index of the one that
    moved it, or -1) and numbers of chance for `defect_injection`: level, choice, place (0 to 1),
    chance.
    """

    def __init__(
        self, seed: int, which: Stream, defects: Sequence[Defect], shares: Sequence[Share]
    ) -> None:
        self._seed = seed
        self._which = which
        self._shares = shares
        self._how = {member: defects[member].how for share in shares for member in share.members}
        self._under_way: pl.DataFrame | None = None

    def deliver(
        self, records: pl.DataFrame, key: Sequence[str], first: int, end: int
    ) -> pl.DataFrame:
        """The records that arrive from day `first` to before `end`, by day.

        Args:
            records: what is written down on these days, by `day`.
            key: columns that tell records of the same day apart.
            first, end: the days.
        """
        moved, on_time = self._send(records, first, end)
        if self._under_way is not None:
            moved = pl.concat([self._under_way, moved])
        has_come = pl.col("lands") < end
        late = moved.filter(has_come).sort("lands", "day", "second", *key, "defect")
        self._under_way = moved.filter(~has_come)
        arrived = pl.concat([late, on_time])
        return arrived[np.argsort(arrived["lands"].to_numpy(), kind="stable")]

    def _send(
        self, records: pl.DataFrame, first: int, end: int
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Records that are or may be late, and those that arrive on their day."""
        counts = counts_per_day(records["day"].to_numpy(), first, end)
        level, choice, place, chance, delay = for_each_day(
            self._seed, self._which, first, counts, lambda rng, n: rng.random((n, 5))
        ).T
        sent = records.with_columns(
            lands="day",
            settled="day",
            defect=pl.lit(NONE, pl.Int64),
            level=level,
            choice=choice,
            place=place,
            chance=(chance * (1 << 30)).astype(np.int64),
        )
        moved, stays = [], np.ones(records.height, dtype=np.bool_)
        for share in self._shares:
            struck = (level >= share.lower) & (level < share.upper) & self._can(share, records)
            stays &= ~struck
            late = 1 + (delay[struck] * self._within(share)).astype(np.int64)
            moved.append(self._move(sent.filter(struck), share, late))
        return pl.concat([sent.clear(), *moved]), sent.filter(stays)

    def _can(self, share: Share, records: pl.DataFrame) -> Flags:
        """What no later record replaces can be late; what is corrected is a sale, too."""
        stands = pl.col("stands") if "stands" in records.columns else pl.lit(True)
        if self._how[share.members[0]] is not How.LATE:
            stands &= pl.col("form") == SALE
        return records.with_columns(_can=stands)["_can"].to_numpy()

    def _within(self, share: Share) -> int:
        return LATE_WITHIN if self._how[share.members[0]] is How.LATE else CORRECTED_WITHIN

    def _move(self, records: pl.DataFrame, share: Share, late: np.ndarray) -> pl.DataFrame:
        (defect,) = share.members
        struck = records.with_columns(defect=pl.lit(defect, pl.Int64))
        later = pl.col("day") + pl.lit(pl.Series(late))
        if self._how[defect] is How.LATE:
            return struck.with_columns(lands=later, settled=later)
        if self._how[defect] is How.CORRECTED_LATER:
            right = records.with_columns(second=pl.col("second") + DAY * pl.lit(pl.Series(late)))
            wrong = struck.with_columns(settled=later)
            right = right.with_columns(lands=later, settled=later)
        else:
            right = records.with_columns(second=pl.col("second") + 60)
            right = right.with_columns(lands=pl.col("second") // DAY)
            right = right.with_columns(settled="lands")
            after = right["lands"] + pl.Series(late)
            wrong = struck.with_columns(lands=after, settled=after)
        return pl.concat([wrong, right])
