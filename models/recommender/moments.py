"""In what order items stand that a user met at one moment: the logs do not tell, so a training draws one in each pass.

Shape letters: B rows, L positions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.rows.first_values import mixed

Numbers = NDArray[np.int64]

FIRST, LAST = (np.iinfo(np.int64).min, np.iinfo(np.int64).max)


class Draw(NamedTuple):
    """What a draw follows from: the same for a row whichever process takes it.

    Attributes:
        seed: Of the training.
        step: Of it, from 0.
    """

    seed: int
    step: int

    def order(self, row_B: Numbers, item_BL: Numbers, time_BL: Numbers) -> Numbers:
        """Return in what order a row's places are to stand.

        A row's first item stays, for a target needs something before it. Equal items keep their order: a repeat is not
        learned, wherever it stands.

        Args:
            row_B: Numbers of the rows.
            item_BL: Their items.
            time_BL: When they were met, never earlier than the one before; `LAST` where there is none.

        Returns:
            Places, int64 (B, L).
        """
        place_BL = np.broadcast_to(np.arange(time_BL.shape[1]), time_BL.shape).copy()
        is_tied_B = ((time_BL[:, 2:] == time_BL[:, 1:-1]) & (time_BL[:, 2:] != LAST)).any(axis=1)
        if is_tied_B.any():
            time_TL = time_BL[is_tied_B]
            time_TL[:, 0] = FIRST
            of_step = mixed(mixed(np.array([self.seed], np.uint64)) + np.array([self.step], np.uint64))
            of_row_T = mixed(row_B[is_tied_B].astype(np.uint64) + of_step)
            key_TL = mixed(item_BL[is_tied_B].astype(np.uint64) + of_row_T[:, None])
            place_BL[is_tied_B] = np.lexsort((key_TL, time_TL), axis=-1)
        return place_BL
