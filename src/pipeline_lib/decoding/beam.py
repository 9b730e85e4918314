"""Beam search over many contexts at once, also with barred words and with forced words.

B contexts, W hypotheses of each that still grow (at most K, the beam size), V vocabulary size, T positions.

At every position the K likeliest continuations of a context's growing hypotheses are kept. Those that end leave the
beam for a list of the n best, and only there is the length penalty applied: growing hypotheses are equally long. An
ended sentence takes no place from growing hypotheses, and is never lost to prefixes that look better and end worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline_lib.config.decoding import BeamSettings
from pipeline_lib.decoding.steps import Steps
from pipeline_lib.text.ids import Ids

FREE = -1  # in ``forced``: a position whose word is to be found


class Hypotheses(NamedTuple):
    """Several hypotheses of each context."""

    words: Tensor  # (B, N, T) int64
    scores: Tensor  # (B, N); minus infinity where there is no hypothesis


@dataclass(frozen=True)
class Beam:
    """Searches for the sentence with the greatest ``log p / tokens ** length_penalty``.

    Probabilities are the model's own, over all V words: barring a word gives nothing to the others. The end token
    counts, both in p and in the tokens. After ``max_length`` words it is the only continuation, so that whole
    sentences are compared with whole sentences; there, as in greedy decoding, it is not returned.

    A beam of 1 finds the greedy words, a beam that can hold all prefixes the best sentence.

    Args:
        size: K, continuations of a context that are kept at each position.
        max_length: most words before the end token.
        min_length: fewest words before the end token.
        length_penalty: 0 ranks by log p, 1 by its mean over the tokens.
    """

    ids: Ids
    size: int
    max_length: int
    min_length: int = 0
    length_penalty: float = 1.0

    def __call__(self, steps: Steps, forced: Tensor | None = None, barred: Tensor | None = None) -> Tensor:
        """Return the best sentence of each context, (B, T) int64, see `Decode`. For the arguments see `n_best`."""
        return self.n_best(steps, 1, forced, barred).words[:, 0]

    def n_best(self, steps: Steps, n: int, forced: Tensor | None = None, barred: Tensor | None = None) -> Hypotheses:
        """Return the ``n`` best of the sentences that the beam finds, best first.

        The search stops when no growing hypothesis can enter the list any more: log p only falls, so the score of one
        will be at most ``(log p so far) / (most tokens) ** length_penalty``. Stopping therefore changes no result.
        Whenever the search is over for half of the contexts that the model still reads, these are left out.

        Args:
            forced: (B or 1, T) int64, the words to emit, or `FREE`; their probability counts. Every sentence then has T
                words, whatever ``min_length`` and ``max_length``; a shorter one has a forced end token after its last.
            barred: (V,) bool, words that are not emitted unless they are forced.
        Returns:
            Words of at most ``max_length`` positions (T with forced words), laid out as `Decode` says.
        """
        contexts, device = steps.rows, steps.device
        if forced is None:
            fewest, longest = self.min_length, self.max_length
            forced = torch.full((contexts, longest), FREE, device=device)
        else:
            fewest = longest = forced.shape[1]
        forced = F.pad(forced, (0, 1), value=self.ids.end).expand(contexts, -1)

        growing, last = self._nothing(steps)
        nothing = forced.new_full((contexts, n, longest + 1), self.ids.pad)
        ended = Hypotheses(nothing, torch.full((contexts, n), -torch.inf, dtype=torch.float64, device=device))
        rows = torch.arange(contexts, device=device)
        for position in range(longest + 1):
            kept, parents = self._grown(steps, growing, last, forced[:, position], barred, position >= fewest)

            over = kept.words[..., -1] == self.ids.end
            penalised = kept.scores / (position + 1) ** self.length_penalty
            more = Hypotheses(kept.words, penalised.masked_fill(~over, -torch.inf))
            ended.words[rows], ended.scores[rows] = best = self._best(ended, rows, more)
            growing = Hypotheses(kept.words, kept.scores.masked_fill(over, -torch.inf))
            within_reach = growing.scores.amax(1) / (longest + 1) ** self.length_penalty
            searched = (best.scores[:, -1] < within_reach).nonzero().squeeze(1)
            if not len(searched):
                break
            if 2 * len(searched) <= len(rows):
                parents = parents.view(len(rows), -1)[searched].flatten()
                growing = Hypotheses(growing.words[searched], growing.scores[searched])
                rows, forced = rows[searched], forced[searched]
            steps.keep(parents)
            last = growing.words[..., -1].flatten()
        words = ended.words[..., : min(position + 1, longest)]
        return Hypotheses(words.masked_fill((ended.scores == -torch.inf).unsqueeze(-1), self.ids.pad), ended.scores)

    def prefixes(self, steps: Steps, forced: Tensor, barred: Tensor | None = None) -> Hypotheses:
        """Return the beginnings of sentences that are in the beam after T words; none of them ends.

        Args:
            forced, barred: as of `n_best`; ``forced`` (B, T) holds neither end tokens nor padding.
        Returns:
            (B, N, T) words and (B, N) log p, N <= K; no length penalty.
        """
        growing, last = self._nothing(steps)
        for words in forced.unbind(1):
            growing, parents = self._grown(steps, growing, last, words, barred, may_end=False)
            steps.keep(parents)
            last = growing.words[..., -1].flatten()
        return growing

    def _nothing(self, steps: Steps) -> tuple[Hypotheses, Tensor]:
        """Return an empty hypothesis for each context, and the word (B,) that each continues."""
        contexts, device = steps.rows, steps.device
        last = torch.full((contexts,), self.ids.start, device=device)
        return Hypotheses(last.new_empty(contexts, 1, 0), torch.zeros(contexts, 1, device=device)), last

    def _grown(
        self,
        steps: Steps,
        growing: Hypotheses,
        last: Tensor,
        forced: Tensor,
        barred: Tensor | None,
        may_end: bool,
    ) -> tuple[Hypotheses, Tensor]:
        """Return the K likeliest continuations by a word, and the row of what each continues (see `_likeliest`)."""
        totals = steps.next(last).log_softmax(-1).unflatten(0, growing.scores.shape)
        allowed = self._allowed(forced, barred, may_end, totals.shape[-1])
        totals.masked_fill_(~allowed.unsqueeze(1), -torch.inf).add_(growing.scores.unsqueeze(-1))
        return _likeliest(growing.words, totals, self.size)

    def _allowed(self, forced: Tensor, barred: Tensor | None, may_end: bool, vocabulary: int) -> Tensor:
        """Return (B, V) bool, the words allowed at one position whose forced words are (B,)."""
        words = torch.arange(vocabulary, device=forced.device)
        free = (words != self.ids.pad) & (words != self.ids.start)
        if barred is not None:
            free &= ~barred
        if not may_end:
            free &= words != self.ids.end
        return torch.where(forced.unsqueeze(1) == FREE, free, words == forced.unsqueeze(1))

    def _best(self, ended: Hypotheses, rows: Tensor, more: Hypotheses) -> Hypotheses:
        """Return the n best of the ``rows`` of ``ended`` and of ``more``; of equals, the earlier stays."""
        n, longest = ended.words.shape[1:]
        padded = F.pad(more.words, (0, longest - more.words.shape[2]), value=self.ids.pad)
        words = torch.cat([ended.words[rows], padded], 1)
        scores, order = torch.cat([ended.scores[rows], more.scores], 1).sort(dim=1, descending=True, stable=True)
        return Hypotheses(_take(words, order[:, :n]), scores[:, :n])


def _likeliest(prefixes: Tensor, totals: Tensor, size: int) -> tuple[Hypotheses, Tensor]:
    """Return the ``size`` likeliest of the continuations of each context.

    Args:
        prefixes: (B, W, T), ``totals``: (B, W, V), log-probability of each prefix with each word after it.
    Returns:
        N <= size continuations (B, N, T + 1) and, (B * N,), the row of the prefix of each among all B * W.
    """
    contexts, width, vocabulary = totals.shape
    scores, index = totals.flatten(1).topk(min(size, width * vocabulary))
    parents, words = index // vocabulary, index % vocabulary
    grown = torch.cat([_take(prefixes, parents), words.unsqueeze(-1)], -1)
    first = width * torch.arange(contexts, device=totals.device).unsqueeze(1)
    return Hypotheses(grown, scores), (first + parents).flatten()


def _take(words: Tensor, rows: Tensor) -> Tensor:
    """Take rows (B, N) of (B, W, T) words, for each context its own: (B, N, T)."""
    return words.gather(1, rows.unsqueeze(-1).expand(-1, -1, words.shape[-1]))


def strategy(settings: BeamSettings, ids: Ids, generators: Sequence[torch.Generator]) -> Beam:
    """Build the strategy that ``settings`` describe; nothing is drawn from ``generators``."""
    return Beam(ids, settings.size, settings.max_length, settings.min_length, settings.length_penalty)
