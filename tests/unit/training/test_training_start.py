"""A training that starts from the weights of a trained model."""

import re

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from pipeline_lib.config.layout import Description
from pipeline_lib.config.networks import Recurrent
from pipeline_lib.config.training import Optimiser
from pipeline_lib.errors import PipelineError
from pipeline_lib.models import saved
from pipeline_lib.text.words import Words
from unit.model_fixtures import make_model
from unit.training_jobs import SEPACVAE, SETTINGS, finish, start, write_corpus


def write(path, model):
    description = Description(model="m:M", options={}, network=Recurrent())
    saved.save(path, model.state_dict(), description)
    return path


def test_a_job_starts_from_the_given_weights_and_not_from_its_seed(tmp_path):
    corpus = write_corpus(tmp_path)
    network = Recurrent(hidden=6, latent=4, bow_hidden=8)
    description = Description(model=SEPACVAE, options={"groups": 2}, network=network)
    torch.manual_seed(99)
    model = saved.build(description, Words.read(corpus / "words.parquet"))
    first = write(tmp_path / "first.safetensors", model)
    still = SETTINGS.model_copy(update={"epochs": 1, "optimiser": Optimiser(learning_rate=1e-12)})
    finish(start(corpus, tmp_path / "second", still, first=first))
    assert_close(load_file(tmp_path / "second/model.safetensors"), model.state_dict(), rtol=0, atol=1e-6)


def test_weights_of_another_system_are_refused_with_what_is_missing_too_many_or_of_another_shape(tmp_path):
    smaller, bow = make_model("cvae"), make_model("cvae_bow")
    smaller.prior = torch.nn.Linear(3, 3).double()
    path = write(tmp_path / "smaller.safetensors", smaller)
    with pytest.raises(PipelineError, match="CVAE cannot start from these weights") as error:
        saved.start_from(bow, path)
    for part in ("Missing", "bow.", "Unexpected", "prior.weight"):
        assert re.search(part, error.value.problem)
    path = write(tmp_path / "cvae.safetensors", make_model("cvae"))
    wider = make_model("cvae")
    wider.recognition = torch.nn.Linear(3, 3).double()
    with pytest.raises(PipelineError, match=r"size mismatch for recognition\.weight"):
        saved.start_from(wider, path)


def test_a_system_may_take_a_part_of_the_weights(tmp_path):
    class Part(type(make_model("cvae_bow"))):  # type: ignore[misc]
        def start_from(self, weights):
            chosen = {k.removeprefix("encoder."): v for k, v in weights.items() if k.startswith("encoder.")}
            self.encoder.load_state_dict(chosen)

    trained, fresh = make_model("cvae", spread=0.1), make_model("cvae_bow")
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    fresh.__class__ = Part
    saved.start_from(fresh, write(tmp_path / "trained.safetensors", trained))
    for name, tensor in fresh.state_dict().items():
        expected = trained.state_dict() if name.startswith("encoder.") else before
        assert torch.equal(tensor, expected[name])
