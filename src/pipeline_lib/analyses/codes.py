"""Codes of sentences: posterior means of a VAE, or what an autoencoder makes of a sentence."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.sentence_vae import CodedSentences
from pipeline_lib.models.system import System
from pipeline_lib.text.units import Units

_BATCH = 128  # sentences encoded together; their order changes nothing


def codes(model: System, units: Units, texts: Sequence[str]) -> NDArray[np.float64]:
    """Encode N sentences, of tokens joined by one space: (N, Z), without noise.

    Raises:
        PipelineError: the system has no code, or a sentence has no word.
    """
    if not isinstance(model, CodedSentences):
        raise PipelineError(
            f"{type(model).__name__} has no code that a probe could read",
            where="systems: of the table of the probe",
            expected="a sentence VAE or an autoencoder (models/sentence_vae.py)",
            remedy="remove the system from the list",
        )
    if empty := [number for number, text in enumerate(texts, start=1) if not text.strip()]:
        raise PipelineError(
            "a sentence without words",
            where=f"sentence {empty[0]} of {len(texts)} that the probe reads",
            expected="at least one word",
            remedy="leave the sentence out",
        )
    data, found = ExampleDataset.of_sentences(texts, units), np.empty((len(texts), model.latent))
    model.eval()
    with torch.no_grad():
        for rows in data.by_length(_BATCH):
            found[rows] = model.code(data.batch(rows).to(model.device)).double().cpu().numpy()
    return found
