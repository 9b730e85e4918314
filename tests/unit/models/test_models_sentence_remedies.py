"""Remedies against a posterior that collapses: free bits, a start from an autoencoder, an aggressive encoder."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pipeline_lib.config.networks import LanguageModel
from pipeline_lib.errors import PipelineError
from pipeline_lib.models import saved
from pipeline_lib.models.layers.distributions import with_free_bits
from pipeline_lib.models.system import System, create
from pipeline_lib.models.weights import save_tensors
from pipeline_lib.training.phases import check_owners
from unit.model_fixtures import VOCABULARY, SmallUnits, generator, make_dataset

LATENT = 5
SIZES = LanguageModel(embedding=6, hidden=7, latent=LATENT, initial_range=0.5)
VAE, AUTOENCODER = "SentenceVAE", "SequenceAutoencoder"


def model_of(name: str, seed: int = 3, **options: object) -> System:
    torch.manual_seed(seed)
    return create(f"pipeline_lib.models.sentence_vae:{name}", options, SmallUnits(None, VOCABULARY), SIZES).double()


def batch_of(n: int = 6):
    return make_dataset(n).batch(np.arange(n))


# --- free bits -----------------------------------------------------------------------------------------------------


def test_free_bits_are_the_plain_kl_above_the_floor_and_the_floor_without_gradient_below():
    kl = torch.tensor([[0.1, 0.9, 3.0], [0.6, 0.0, 0.2]], dtype=torch.float64, requires_grad=True)
    found = with_free_bits(kl, 1.5)  # a floor of 0.5 in each of three dimensions
    assert found.tolist() == pytest.approx([0.5 + 0.9 + 3.0, 0.6 + 0.5 + 0.5])
    found.sum().backward()
    assert kl.grad.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    above = kl.detach() + 0.5
    assert_close(with_free_bits(above, 1.5), above.sum(-1))


def test_the_objective_pays_for_the_kl_above_the_floor_and_records_all_of_it():
    batch, nats, weight = batch_of(), 1.2, 0.3
    plain = model_of(VAE).objective(batch, weight, generator())
    model = model_of(VAE, free_bits=nats)
    found = model.objective(batch, weight, generator())
    posterior = model.encode(batch)
    paid = 0.0
    for mean, log_variance in zip(
        posterior.mean.flatten().tolist(), posterior.log_variance.flatten().tolist(), strict=True
    ):
        paid += max(nats / LATENT, 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)) / len(batch)
    assert float(found.loss.detach()) == pytest.approx(float(plain.log["nll"].mean()) + weight * paid)
    assert_close(found.log["kl"], plain.log["kl"])
    measured = (each.eval().likelihood(batch, generator()).bound for each in (model, model_of(VAE)))
    assert_close(*measured)  # a remedy of training, not of the bound


def test_a_posterior_below_every_floor_is_trained_by_the_reconstruction_alone():
    batch = batch_of()
    nearly, without = model_of(VAE, free_bits=500.0), model_of(VAE)
    nearly.objective(batch, 1.0, generator()).loss.backward()
    without.objective(batch, 0.0, generator()).loss.backward()
    for one, other in zip(nearly.parameters(), without.parameters(), strict=True):
        assert_close(one.grad, other.grad)


# --- start from an autoencoder -------------------------------------------------------------------------------------


def test_a_vae_that_starts_from_an_autoencoder_has_its_codes_as_means_and_a_decoder_of_its_own(tmp_path):
    autoencoder, vae, fresh = model_of(AUTOENCODER), model_of(VAE, seed=4), model_of(VAE, seed=4)
    save_tensors(tmp_path / "model.safetensors", autoencoder.state_dict(), {})
    saved.start_from(vae, tmp_path / "model.safetensors")
    batch = batch_of()
    assert_close(vae.encode(batch).mean, autoencoder.code(batch))
    before, after = fresh.state_dict(), vae.state_dict()
    for name, tensor in after.items():
        if name.startswith(("initial.", "decoder.lstm.", "decoder.output.")):
            assert torch.equal(tensor, before[name])
        elif name.startswith("recognition."):
            assert torch.equal(tensor[LATENT:], before[name][LATENT:])


def test_a_vae_that_starts_from_a_vae_has_all_its_weights():
    vae, other = model_of(VAE), model_of(VAE, seed=4)
    vae.start_from(other.state_dict())
    assert all(torch.equal(vae.state_dict()[name], tensor) for name, tensor in other.state_dict().items())


def test_an_autoencoder_of_other_sizes_is_refused_with_what_does_not_fit(tmp_path):
    autoencoder = model_of(AUTOENCODER)
    autoencoder.encoder = torch.nn.LSTM(6, 8).double()
    save_tensors(tmp_path / "model.safetensors", autoencoder.state_dict(), {})
    with pytest.raises(PipelineError, match="SentenceVAE cannot start from these weights") as error:
        saved.start_from(model_of(VAE), tmp_path / "model.safetensors")
    assert "encoder.weight_ih_l0" in error.value.problem


def test_weights_without_an_encoder_are_refused(tmp_path):
    save_tensors(tmp_path / "model.safetensors", model_of("RNNLM").state_dict(), {})
    with pytest.raises(PipelineError, match="SentenceVAE cannot start from these weights"):
        saved.start_from(model_of(VAE), tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", [VAE, AUTOENCODER])
def test_a_code_without_dimensions_is_an_error_that_names_the_setting(name):
    path, sizes = f"pipeline_lib.models.sentence_vae:{name}", SIZES.model_copy(update={"latent": None})
    with pytest.raises(PipelineError) as error:
        create(path, {}, SmallUnits(None, VOCABULARY), sizes)
    assert error.value.where == "network.latent of the system"
    create("pipeline_lib.models.sentence_vae:RNNLM", {}, SmallUnits(None, VOCABULARY), sizes)


# --- an aggressive encoder -----------------------------------------------------------------------------------------


def test_an_aggressive_encoder_and_the_decoder_have_disjoint_parameters_which_are_all():
    model = model_of(VAE, aggressive=True)
    encoder, decoder = model.phases()
    check_owners(model, [encoder, decoder])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)].partition(".")[0] for p in encoder.parameters} == {"encoder", "recognition"}
    assert {names[id(p)].partition(".")[0] for p in decoder.parameters} == {"initial", "decoder"}
    assert (encoder.repeated.window, encoder.repeated.most) == (15, 100)
    assert decoder.repeated is None
    assert len(model_of(VAE).phases()) == 1
