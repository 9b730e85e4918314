"""Imputed endings: known words teacher-forced in one pass (`decoding/imputation.py`) against a step for each word.

    python benchmarks/imputation.py

Beam 15, 16 sentences of 20 words whose last four are unknown; random RNNLMs that decode from right to left. Both
searches walk the unknown words alike. The step-by-step one is `Beam` with the known words forced. On one thread; of
five turns the least processor time counts.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from measure import head, row
from torch import Tensor

from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.decoding.beam import FREE, Beam
from pipeline_lib.decoding.imputation import complete
from pipeline_lib.examples.batch import Response
from pipeline_lib.models.sentence_vae import RNNLM
from pipeline_lib.text.ids import Ids

REPETITIONS, SENTENCES, WORDS, UNKNOWN, BEAM = 5, 16, 20, 4, 15
IDS = Ids()


@dataclass(frozen=True)
class RandomUnits:
    """Units without texts."""

    size: int
    ids: Ids = IDS
    embeddings: None = None

    def __len__(self) -> int:
        return self.size


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head(f"beam {BEAM}, {SENTENCES} sentences, {UNKNOWN} of {WORDS} words unknown", "ms", "ratio", "same words")
    with torch.no_grad():
        report("256 units, 10,000 words", 256, 10_000)
        report("96 units, 459 words", 96, 459)


def report(name: str, width: int, vocabulary: int) -> None:
    network = LanguageModel(embedding=width, hidden=width, latent=1, initial_range=0.5)
    options = RNNLM.Options(direction="right_to_left")
    units = RandomUnits(vocabulary)
    model = RNNLM(units, network, options).eval()
    words = torch.randint(4, vocabulary, (SENTENCES, WORDS))
    words[:, :UNKNOWN] = FREE  # in the order of the decoder
    barred = torch.arange(vocabulary) < 4
    cases: dict[str, Callable[[], Tensor]] = {
        "one pass": lambda: complete(
            Beam(IDS, BEAM, max_length=0), model.steps(SENTENCES), words, barred, log_p_of(model)
        ),
        "step by step": lambda: Beam(IDS, BEAM, max_length=WORDS)(model.steps(SENTENCES), words, barred),
    }
    best, found = dict.fromkeys(cases, float("inf")), {}
    for _ in range(REPETITIONS):
        for case, search in cases.items():
            started = time.process_time()
            found[case] = search()
            best[case] = min(best[case], time.process_time() - started)
    for case, seconds in best.items():
        same = (found[case] == found["one pass"]).all(1).float().mean()
        row(f"{name}: {case}", f"{1e3 * seconds:.0f}", f"{seconds / best['one pass']:.1f}", f"{same:.0%}")


def log_p_of(model: RNNLM) -> Callable[[Tensor, Tensor], Tensor]:
    noise = torch.Generator()

    def log_p(sentences: Tensor, of_context: Tensor) -> Tensor:
        words = model.decoder.turned(sentences)
        one = words.new_ones(len(words), 1)
        inputs, targets = torch.cat([IDS.start * one, words], 1), torch.cat([words, IDS.end * one], 1)
        return -model.nll(Response(inputs, targets, words.new_full((len(words),), WORDS + 1)), noise)

    return log_p


if __name__ == "__main__":
    main()
