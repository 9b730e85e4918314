"""The arithmetic of a training step, against the sizes of the matrices that it multiplies."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.config.training import Training
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.models.sentence_vae import RNNLM
from pipeline_lib.text.words import Words
from pipeline_lib.training.arithmetic import matrix_peak, operations_per_token
from unit.training_jobs import write_corpus

E, H = 12, 20


@pytest.fixture
def counted(tmp_path):
    """A language model, and the operations a token that are counted of it with batches of all forty examples."""
    corpus = write_corpus(tmp_path)
    units = Words.read(corpus / "words.parquet")
    model = RNNLM(units, LanguageModel(embedding=E, hidden=H), RNNLM.Options())
    examples = ExampleDataset.open(corpus / "train.arrow")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = operations_per_token(model, examples, Training(batch_size=40), seed=1, rounds=10)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    return found, len(units), examples


def test_operations_are_those_of_the_matrices_forward_and_backward(counted):
    found, vocabulary, examples = counted
    tokens = examples.targets(np.arange(40))
    steps = 8 * 40  # the LSTM also runs over the padding: the longest sentence has seven words and an end
    forward = steps * 2 * 4 * H * (E + H) + tokens * 2 * H * vocabulary
    first_state = 40 * 2 * 4 * H * H  # zeros, which take no gradient
    assert found == pytest.approx((3 * forward - first_state) / tokens, rel=1e-6)


def test_the_compiler_is_not_loaded_by_training_and_counting():
    """It would take longer than many a test's training."""
    code = (
        "import sys, torch\n"
        "from pipeline_lib.config.training import Optimiser\n"
        "from pipeline_lib.training import arithmetic, optimisers\n"
        "weight = torch.ones(2, 2, requires_grad=True)\n"
        "with arithmetic._Counter() as counter:\n"
        "    (weight @ weight).sum().backward()\n"
        "for kind in ('adam', 'fused_adam', 'sgd', 'rmsprop'):\n"
        "    made = optimisers.optimiser(Optimiser(kind=kind), [weight])\n"
        "    optimisers.step(made)\n"
        "    made.load_state_dict(made.state_dict())\n"
        "print(counter.operations, 'torch._dynamo' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["48", "False"]


def test_the_peak_of_the_machine_is_a_rate_that_processors_have():
    assert 1e8 < matrix_peak(torch.device("cpu"), "float32") < 1e14
