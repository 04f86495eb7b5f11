"""What was said, and when, by the logits of one sound. Shape letters: L places, V symbols, 0 the blank of CTC.

Sources: Graves et al., "Connectionist temporal classification", ICML 2006: the best path; Collobert, Puhrsch and
Synnaeve, "Wav2Letter", 2016: the best among paths through the spellings of known words, by flashlight-text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from threading import local
from typing import NamedTuple

import numpy as np
from flashlight.lib.text.decoder import (
    CriterionType,
    LexiconDecoder,
    LexiconDecoderOptions,
    SmearingMode,
    Trie,
    ZeroLM,
)
from numpy.typing import NDArray

Logits = NDArray[np.float32]
Numbers = NDArray[np.int64]

BLANK = 0
SEPARATOR = " "
"""Symbol between words."""
BEAM = 100
"""Beginnings of a text that are looked at together."""
BEAM_SYMBOLS = 40
"""Likeliest symbols of a place that a text may go on with: a place costs as much whatever the alphabet."""
_BEAM_NATS = 50.0
_STEP = 20
"""Places until other threads may run: flashlight lets none run while it looks at some."""
_NEVER = -1e4
"""Nats of what cannot be: flashlight adds them up, and infinities would be no numbers."""


class Word(NamedTuple):
    """A word, and when it was said.

    Attributes:
        text: Without blanks.
        start_s: Seconds from the beginning of the sound.
        end_s: So too.
    """

    text: str
    start_s: float
    end_s: float


class Heard(NamedTuple):
    """What was said: words with one blank between them."""

    text: str
    words: tuple[Word, ...]


class Decoder:
    """Reads texts from logits. Threads may share one.

    Args:
        symbols: Characters of the numbers from 1; of one that stands for none, an empty text.
        seconds: Of a place.
        words: That may be said; any string of characters when omitted.
    """

    def __init__(self, symbols: Sequence[str], *, seconds: float, words: Iterable[str] | None = None) -> None:
        self._symbols = ("", *symbols)
        self._seconds = seconds
        self._lexicon = None if words is None else _Lexicon(symbols, words)

    def heard(self, logit_LV: Logits) -> Heard:
        """Take the likeliest text of known words, or, where any may be said, the likeliest symbol of each place."""
        if self._lexicon is None:
            return self._along(logit_LV.argmax(axis=1))
        return self._along(self._lexicon.path(_log_softmax(logit_LV)))

    def _along(self, path_L: Numbers) -> Heard:
        """Read words along a path of one symbol a place; a symbol that goes on over several is one character."""
        begin_N = np.flatnonzero(np.diff(path_L, prepend=BLANK))
        end_N = np.append(begin_N, len(path_L))[1:]
        letters = [
            (self._symbols[path_L[begin]], begin, end)
            for begin, end in zip(begin_N.tolist(), end_N.tolist(), strict=True)
            if self._symbols[path_L[begin]]
        ]
        words = []
        for is_between, group in groupby(letters, lambda letter: letter[0] == SEPARATOR):
            if not is_between:
                text, begin, end = zip(*group, strict=True)
                words.append(Word("".join(text), begin[0] * self._seconds, end[-1] * self._seconds))
        return Heard(SEPARATOR.join(word.text for word in words), tuple(words))


class _Lexicon:
    """Finds the best path through the spellings of words; each ends with a separator, behind the last one is none.

    Args:
        symbols: Characters of the numbers from 1; without a separator among them each text is one word.
        words: Those with other characters cannot be said.
    """

    def __init__(self, symbols: Sequence[str], words: Iterable[str]) -> None:
        number = {symbol: place for place, symbol in enumerate(symbols, 1)}
        self._columns = len(symbols) + 1 + (SEPARATOR not in number)
        self._between = number.setdefault(SEPARATOR, len(symbols) + 1)
        self._trie, self._language = Trie(self._columns, self._between), ZeroLM()
        start = self._language.start(False)  # noqa: FBT003, it takes no names
        for label, word in enumerate(sorted({word for word in words if word and set(word) <= number.keys()})):
            spelling = [number[character] for character in word + SEPARATOR]
            self._trie.insert(spelling, label, self._language.score(start, label)[1])
        self._trie.smear(SmearingMode.MAX)
        self._own = local()

    def path(self, nat_LV: Logits) -> Numbers:
        """Return the symbol of each place, (L,); blanks for a last word that is cut off and can be no other."""
        L, V = nat_LV.shape
        ended = np.full((L + 1, self._columns), _NEVER, np.float32)
        ended[:L, :V] = np.maximum(nat_LV, _NEVER)
        ended[L, self._between] = 0
        decoder = self._decoder()
        decoder.decode_begin()
        for begin in range(0, L + 1, _STEP):
            step = ended[begin : begin + _STEP]
            decoder.decode_step(step.ctypes.data, *step.shape)
        decoder.decode_end()
        best = decoder.get_all_final_hypothesis()[0]
        decoder.decode_begin()  # lets go of its hypotheses: megabytes for a long sound
        path_L = np.array(best.tokens[1 : L + 1], np.int64)
        word_ends = np.flatnonzero(np.array(best.words[1 : L + 2]) >= 0)
        path_L[word_ends[-1] if len(word_ends) else 0 :] = BLANK
        return np.where(path_L < V, path_L, BLANK)

    def _decoder(self) -> LexiconDecoder:
        """Return this thread's own: hypotheses lie in the object."""
        if not hasattr(self._own, "decoder"):
            options = LexiconDecoderOptions(
                beam_size=BEAM,
                beam_size_token=min(self._columns, BEAM_SYMBOLS),
                beam_threshold=_BEAM_NATS,
                lm_weight=0,
                word_score=0,
                unk_score=-np.inf,
                sil_score=0,
                log_add=True,
                criterion_type=CriterionType.CTC,
            )
            self._own.decoder = LexiconDecoder(
                options,
                self._trie,
                self._language,
                self._between,
                BLANK,
                -1,
                [],
                False,  # noqa: FBT003
            )
        decoder: LexiconDecoder = self._own.decoder
        return decoder


def _log_softmax(logit_LV: Logits) -> Logits:
    nat_LV: Logits = logit_LV - logit_LV.max(axis=1, keepdims=True)
    nat_LV -= np.log(np.exp(nat_LV).sum(axis=1, keepdims=True))
    return nat_LV
