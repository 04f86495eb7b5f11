"""What a network must beat: the text that is said most often, and a support vector machine that knows texts as wholes.

Shape letters: T frames, M bands, N recordings, F numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from data_contracts.speech.log_mel import Frames

MOST_RECORDINGS = 4_000
"""That the machine learns from."""
MOST_TEXTS = 200
"""That it knows: those said most often, and more than once."""
COEFFICIENTS, SEGMENTS = 20, 8
"""Cepstral coefficients of a frame, and stretches of time over which each is averaged."""
PENALTY = 10.0
"""C of the machine."""


class Commonest:
    """Hears in every recording what is said most often.

    Args:
        said: Texts, one at least.
    """

    def __init__(self, said: Iterable[str]) -> None:
        counts = Counter(said)
        self._text = min(counts, key=lambda text: (-counts[text], text))

    def heard(self, sounds: Sequence[Frames]) -> list[str | None]:
        """Return what each says."""
        return [self._text] * len(sounds)


class WholeTexts:
    """Takes a recording for one of the texts that it knows: by mel-frequency cepstral coefficients and an RBF kernel.

    Args:
        pieces: Sounds and their texts, some after others; one recording at least.

    Source:
        Davis and Mermelstein, 1980 (the coefficients); Cortes and Vapnik, "Support-vector networks", 1995, as
        `sklearn.svm.SVC`.
    """

    def __init__(self, pieces: Iterable[tuple[Sequence[Frames], Sequence[str]]]) -> None:
        numbers: list[NDArray[np.float32]] = []
        said: list[str] = []
        for sounds, texts in pieces:
            numbers += map(_numbers, sounds)
            said += texts
        most = Counter(sorted(said)).most_common(MOST_TEXTS)
        self._known = sorted(text for text, count in most if count > 1) or [most[0][0]]
        number_of = {text: number for number, text in enumerate(self._known)}
        taken = [place for place, text in enumerate(said) if text in number_of]
        self._machine = make_pipeline(StandardScaler(), SVC(C=PENALTY, gamma="scale"))
        if len(self._known) > 1:
            self._machine.fit(
                np.stack([numbers[place] for place in taken]), [number_of[said[place]] for place in taken]
            )

    def heard(self, sounds: Sequence[Frames]) -> list[str | None]:
        """Return what each says."""
        if len(self._known) == 1 or not sounds:
            return [*self._known] * len(sounds)
        return [self._known[number] for number in self._machine.predict(np.stack(list(map(_numbers, sounds))))]


def _numbers(frame_TM: Frames) -> NDArray[np.float32]:
    """Return the coefficients of each stretch of time, (F,): of a short sound some frames are in two."""
    cepstrum_TC = dct(frame_TM.astype(np.float32), axis=1, norm="ortho")[:, :COEFFICIENTS]
    edges = np.linspace(0, len(cepstrum_TC), SEGMENTS + 1)
    stretches = [
        cepstrum_TC[int(start) : max(int(np.ceil(end)), int(start) + 1)].mean(axis=0)
        for start, end in pairwise(edges.tolist())
    ]
    found: NDArray[np.float32] = np.concatenate(stretches)
    return found
