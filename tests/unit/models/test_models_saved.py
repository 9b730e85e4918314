"""Trained models on disk, initial weights, how a configuration entry becomes a model, and its steps of decoding."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from pipeline_lib.config.layout import Description
from pipeline_lib.config.networks import LanguageModel, Recurrent
from pipeline_lib.errors import PipelineError
from pipeline_lib.models import saved
from pipeline_lib.models.cvae import CVAE
from pipeline_lib.models.layers.recurrent import DecoderSteps
from pipeline_lib.models.layers.sentence_decoder import SentenceSteps
from pipeline_lib.models.seq2seq import Seq2Seq
from pipeline_lib.models.system import create, given
from pipeline_lib.models.weights import load_tensors, load_weights, save_tensors
from unit.model_fixtures import EMBEDDING, NETWORK, VOCABULARY, SmallUnits, generator, make_batch, make_model

UNITS = SmallUnits(torch.randn(VOCABULARY, EMBEDDING, generator=generator()).numpy())
BOW = Description(model="pipeline_lib.models.cvae:CVAE", options={"bow": True}, network=NETWORK)


def described(**changes) -> Description:
    return BOW.model_copy(update=changes)


def test_a_saved_model_is_built_again_with_its_class_options_sizes_and_weights(tmp_path):
    model = saved.build(BOW, UNITS)
    saved.save(tmp_path / "model.safetensors", model.state_dict(), BOW)
    torch.manual_seed(8)  # what is built first has other weights
    again = saved.load(tmp_path / "model.safetensors", UNITS).system
    assert type(again) is CVAE
    assert again.bow is not None
    assert again.latent == NETWORK.latent
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)
    batch = make_batch()
    assert_close(again.objective(batch, 1.0, generator()).loss, model.objective(batch, 1.0, generator()).loss)


def test_the_file_holds_the_weights_by_name_and_the_description_as_json(tmp_path):
    model = saved.build(BOW, UNITS)
    saved.save(tmp_path / "model.safetensors", model.state_dict(), BOW)
    assert load_file(tmp_path / "model.safetensors").keys() == model.state_dict().keys()
    tensors, metadata = load_tensors(tmp_path / "model.safetensors")
    assert tensors.keys() == model.state_dict().keys()
    assert metadata.keys() == {"description"}
    assert json.loads(metadata["description"])["options"] == {"bow": True}


def test_weights_that_do_not_fit_the_description_are_refused_with_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    saved.save(path, saved.build(BOW, UNITS).state_dict(), described(options={}))
    with pytest.raises(PipelineError, match=r"(?s)the weights are of another model: .*bow\.network") as error:
        saved.load(path, UNITS)
    assert error.value.where == str(path)


def test_a_file_without_metadata_has_none(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(2)}, tmp_path / "plain.safetensors")
    tensors, metadata = load_tensors(tmp_path / "plain.safetensors")
    assert metadata == {}
    assert_close(tensors, {"a": torch.ones(2)})


def test_tensors_are_written_whole_though_they_are_views_that_take_gradients(tmp_path):
    whole = torch.arange(6.0, requires_grad=True).view(2, 3)
    save_tensors(tmp_path / "t.safetensors", {"view": whole.t()}, {"a": "b"})
    tensors, metadata = load_tensors(tmp_path / "t.safetensors")
    assert_close(tensors["view"], whole.detach().t())
    assert metadata == {"a": "b"}


@pytest.mark.parametrize("content", [None, b"", b"no tensors"])
def test_a_missing_or_foreign_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PipelineError, match="not a readable safetensors file") as error:
        load_tensors(path)
    assert error.value.where == str(path)


def test_weights_of_another_shape_are_refused_and_those_that_fit_are_taken(tmp_path):
    layer = torch.nn.Linear(2, 3)
    load_weights(layer, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, tmp_path)
    assert_close(layer.weight.detach(), torch.ones(3, 2))
    with pytest.raises(PipelineError, match="of another model"):
        load_weights(layer, {"weight": torch.ones(2, 2), "bias": torch.zeros(3)}, tmp_path)


# --- initial weights, and the entry of the configuration ---


def test_initial_weights_fill_the_range_that_the_network_names_and_no_more():
    model = create(BOW.model, {}, UNITS, NETWORK.model_copy(update={"initial_range": 0.3}))
    for name, parameter in model.named_parameters():
        assert float(parameter.detach().abs().max()) <= 0.3, name
    values = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    assert float(values.min()) < -0.29
    assert float(values.max()) > 0.29
    assert abs(float(values.mean())) < 0.02


def test_without_a_range_the_weights_are_as_torch_starts_each_layer():
    torch.manual_seed(4)
    found = create(BOW.model, {}, UNITS, NETWORK.model_copy(update={"initial_range": None}))
    torch.manual_seed(4)
    expected = CVAE(UNITS, NETWORK, CVAE.Options())
    assert_close(dict(found.state_dict()), dict(expected.state_dict()))


def test_a_system_has_its_units_ids_and_reads_their_vectors_which_are_not_trained():
    model = create("pipeline_lib.models.seq2seq:Seq2Seq", {}, UNITS, NETWORK)
    assert type(model) is Seq2Seq
    assert (model.ids, model.vocabulary_size, model.embedding_size) == (UNITS.ids, VOCABULARY, EMBEDDING)
    assert model.device == torch.device("cpu")
    assert np.array_equal(model.embed(torch.tensor([3, 7])).numpy(), UNITS.embeddings[[3, 7]])
    assert "embeddings" not in model.state_dict()
    model.embeddings.zero_()
    assert UNITS.embeddings.any()  # a copy: what a model does to its vectors is its own affair


def test_the_only_phase_of_a_system_trains_all_of_it_on_its_objective():
    model = make_model("cvae")
    [phase] = model.phases()
    assert (phase.name, phase.since, phase.until, phase.fresh) == ("all", 0, None, True)
    assert [id(parameter) for parameter in phase.parameters] == [id(parameter) for parameter in model.parameters()]
    batch = make_batch()
    expected = model.objective(batch, 0.5, generator()).loss
    assert_close(phase.objective(batch, 0.5, generator()).loss, expected)


def test_words_without_vectors_are_refused_by_a_system_that_reads_them():
    with pytest.raises(PipelineError, match="CVAE reads word vectors") as error:
        create(BOW.model, {}, SmallUnits(None), NETWORK)
    assert error.value.where.startswith("units:")


def test_sizes_of_another_kind_of_network_are_refused_with_both_kinds():
    with pytest.raises(PipelineError, match="of a Recurrent network, not of a LanguageModel one"):
        create(BOW.model, {}, UNITS, LanguageModel())
    with pytest.raises(PipelineError, match="of a LanguageModel network, not of a Recurrent one"):
        create("pipeline_lib.models.sentence_vae:RNNLM", {}, UNITS, Recurrent())


def test_a_field_that_a_batch_lacks_is_a_fault_of_the_workflow():
    assert given(0) == 0
    with pytest.raises(AssertionError):
        given(None)


def test_what_a_system_cannot_measure_is_none_or_refused():
    model, batch = make_model("seq2seq"), make_batch()
    assert model.latent_use(batch, batch.response, generator()) is None
    with pytest.raises(PipelineError, match="Seq2Seq cannot tell which of several responses is closest"):
        model.closeness(batch, torch.zeros(len(batch), 3, dtype=torch.int64))


# --- steps of decoding ---


def steps_of(system: str):
    """Return decoding steps of three hypotheses, which differ from one another."""
    torch.manual_seed(2)
    if system == "sentence_vae":
        network = LanguageModel(embedding=6, hidden=7, latent=5, z_input=True, initial_range=0.5)
        model = create("pipeline_lib.models.sentence_vae:SentenceVAE", {}, SmallUnits(None), network)
        z = torch.randn(3, 5)
        return SentenceSteps(model.decoder, model._state(z), z)
    model = make_model("k_cvae_bow")
    condition, group = torch.randn(3, 14 + 5 + 30).double(), torch.randn(3, 30).double()
    return DecoderSteps(model.decoder, model.embeddings, condition, constant_input=group)


@torch.no_grad()
@pytest.mark.parametrize("system", ["sentence_vae", "k_cvae_bow"])
def test_hypotheses_that_are_kept_go_on_in_their_new_order_with_all_that_they_read(system):
    kept = torch.tensor([2, 0, 2, 1])
    first, second, third = torch.tensor([4, 5, 6]), torch.tensor([7, 8, 9]), torch.tensor([5, 5, 5])
    whole, chosen = steps_of(system), steps_of(system)
    for steps in (whole, chosen):
        steps.next(first)
    chosen.keep(kept)
    assert (whole.rows, chosen.rows, chosen.device) == (3, 4, torch.device("cpu"))
    for words in (second, third):
        assert_close(chosen.next(words[kept]), whole.next(words)[kept])
