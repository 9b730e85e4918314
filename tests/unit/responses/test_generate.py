"""Responses of a split: each beside its own context, with the likelihood of its own reference."""

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline_lib.compute.device import choose_device
from pipeline_lib.compute.precision import forward_pass, products
from pipeline_lib.compute.ranks import Ranks
from pipeline_lib.config.decoding import GreedySettings, SamplingSettings
from pipeline_lib.config.networks import Dialogue, LanguageModel
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.models import saved
from pipeline_lib.models.system import create
from pipeline_lib.responses.baselines import baseline
from pipeline_lib.responses.generate import respond
from pipeline_lib.schemas.dialogues import SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.pieces import SPECIAL_PIECES, Pieces
from pipeline_lib.text.words import Words
from pipeline_lib.training.validation import validate
from unit.model_fixtures import NETWORK, SYSTEMS

WORDS = [f"w{i}" for i in range(26)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Nineteen examples of different lengths, in no order of length."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    table = {
        "token_id": range(30),
        "token": ["<pad>", "<unk>", "<s>", "</s>", *WORDS],
        "count": [1] * 30,
        "known": [True] * 30,
        "vector": random.normal(size=(30, 16)).tolist(),
    }
    write_parquet(folder / "words.parquet", pa.table(table), vocabulary_schema(16))

    def text():
        return " ".join(random.choice(WORDS, random.integers(1, 9)))

    examples = {
        "example_id": range(100, 119),
        "dialogue_id": ["d"] * 19,
        "turn": range(19),
        "context": [text() for _ in range(19)],
        "response": [text() for _ in range(19)],
        "user": [None] * 19,
        "label": [i % 3 for i in range(19)],
    }
    write_parquet(folder / "examples.parquet", pa.table(examples), EXAMPLES)
    words = Words.read(folder / "words.parquet")
    encode_examples(folder / "examples.parquet", words, folder / "examples.arrow")
    return folder


def built(system, vocabulary):
    path, options = SYSTEMS[system]
    torch.manual_seed(1)
    network = NETWORK.model_copy(update={"initial_range": 0.5})
    return saved.build(saved.Description(model=path, options=options, network=network), vocabulary)


def answers(corpus, system, split, batch_size=4):
    vocabulary = Words.read(corpus / "words.parquet")
    settings = GreedySettings(max_length=6, batch_size=batch_size, importance_samples=4)
    return responded(built(system, vocabulary), corpus, settings, split)


def responded(model, corpus, settings, split):
    dataset, texts = ExampleDataset.open(corpus / "examples.arrow"), read_parquet(corpus / "examples.parquet")
    vocabulary = Words.read(corpus / "words.parquet")
    return respond(model, vocabulary, dataset, texts, settings, 1, split)


def test_several_samples_of_a_system_that_draws_nothing_are_an_error_unless_its_words_are_drawn(corpus):
    model = built("seq2seq", Words.read(corpus / "words.parquet"))
    with pytest.raises(PipelineError, match="10 samples of Seq2Seq, which would all be the same") as caught:
        responded(model, corpus, GreedySettings(max_length=6, samples=10), "train")
    assert "samples: 1" in caught.value.remedy
    drawn, _ = responded(model, corpus, SamplingSettings(kind="sampling", max_length=6, samples=3), "train")
    assert drawn["sample"].to_pylist() == [0] * 19 + [1] * 19 + [2] * 19


@pytest.mark.parametrize("name", ["RNNLM", "SequenceAutoencoder"])
def test_several_samples_of_a_system_of_sentences_without_a_latent_variable_are_an_error(corpus, name):
    sizes = LanguageModel(embedding=4, hidden=4, latent=2)
    model = create(f"pipeline_lib.models.sentence_vae:{name}", {}, Words.read(corpus / "words.parquet"), sizes)
    with pytest.raises(PipelineError, match=f"3 samples of {name}, which would all be the same"):
        responded(model, corpus, GreedySettings(max_length=6, samples=3), "train")


def test_a_sample_is_the_same_however_many_others_there_are_and_however_many_contexts_are_decoded_together(corpus):
    model = built("cvae_bow", Words.read(corpus / "words.parquet"))

    def samples(samples, batch_size):
        settings = GreedySettings(max_length=6, samples=samples, batch_size=batch_size)
        return responded(model, corpus, settings, "train")[0]["response"].to_pylist()

    assert samples(3, 4)[: 2 * 19] == samples(2, 4)
    assert len(set(samples(3, 4))) > 19
    words = SamplingSettings(kind="sampling", max_length=6, samples=2)
    plain = built("seq2seq", Words.read(corpus / "words.parquet"))
    one, other = (
        responded(plain, corpus, words.model_copy(update={"batch_size": size}), "train")[0] for size in (4, 19)
    )
    assert one["response"].to_pylist() == other["response"].to_pylist()


def test_rows_stand_in_the_order_of_the_pairs_whatever_the_batches(corpus):
    examples = read_parquet(corpus / "examples.parquet")
    alone, metadata = answers(corpus, "seq2seq", "test", batch_size=1)
    together, _ = answers(corpus, "seq2seq", "test", batch_size=8)
    assert alone.schema == RESPONSES
    for column, source in (
        ("example_id", "example_id"),
        ("context", "context"),
        ("reference", "response"),
        ("label", "label"),
    ):
        assert together[column].to_pylist() == examples[source].to_pylist()
    assert together["response"].to_pylist() == alone["response"].to_pylist()
    assert together["tokens"].to_pylist() == [len(text.split()) + 1 for text in examples["response"].to_pylist()]
    np.testing.assert_allclose(together["nll"].to_numpy(), alone["nll"].to_numpy(), rtol=1e-5)
    assert metadata == {}


def test_a_group_is_chosen_with_the_reference_on_validation_alone(corpus):
    chosen = {split: {*answers(corpus, "sepacvae", split)[0]["selection"].to_pylist()} for split in SPLITS}
    assert chosen == {"train": {"context"}, "validation": {"oracle", "context"}, "test": {"context"}}


def test_no_response_is_longer_than_the_limit_or_holds_a_special_token(corpus):
    table, metadata = answers(corpus, "sepacvae", "validation")
    assert table["selection"].to_pylist() == ["oracle"] * 19 + ["context"] * 19
    words = [text.split() for text in table["response"].to_pylist()]
    assert max(map(len, words)) <= 6
    assert {word for text in words for word in text} <= {*WORDS, "<unk>"}
    assert set(table["group"].to_pylist()) <= set(range(4))
    assert 0 <= int(metadata["active_units"]) <= NETWORK.latent


def test_a_saved_model_answers_as_it_did_before(corpus, tmp_path):
    vocabulary = Words.read(corpus / "words.parquet")
    model = built("cvae_bow", vocabulary)
    path, options = SYSTEMS["cvae_bow"]
    description = saved.Description(model=path, options=options, network=NETWORK)
    saved.save(tmp_path / "model.safetensors", model.state_dict(), description)
    again = saved.load(tmp_path / "model.safetensors", vocabulary).system
    settings = GreedySettings(max_length=6)
    one, other = (responded(m, corpus, settings, "train")[0] for m in (model, again))
    assert one.equals(other)


def test_weights_of_another_vocabulary_are_refused(corpus, tmp_path):
    vocabulary = Words.read(corpus / "words.parquet")
    path, options = SYSTEMS["seq2seq"]
    description = saved.Description(model=path, options=options, network=NETWORK)
    weights = built("seq2seq", vocabulary).state_dict()
    weights["decoder.output.bias"] = weights["decoder.output.bias"][:-1]
    saved.save(tmp_path / "model.safetensors", weights, description)
    with pytest.raises(PipelineError, match="of another model") as error:
        saved.load(tmp_path / "model.safetensors", vocabulary)
    assert "model.safetensors" in str(error.value)


def test_validation_perplexity_pools_over_tokens(corpus):
    vocabulary = Words.read(corpus / "words.parquet")
    table, _ = answers(corpus, "seq2seq", "test")
    dataset = ExampleDataset.open(corpus / "examples.arrow")
    found = validate(built("seq2seq", vocabulary), dataset, batch_size=5, seed=1, limit=None, ranks=Ranks())
    expected = math.exp(sum(table["nll"].to_pylist()) / sum(table["tokens"].to_pylist()))
    assert found["ppl"] == pytest.approx(expected, rel=1e-5)
    assert found["ppl_bound"] == found["ppl"]
    assert found["kl"] == 0


def test_baselines_answer_with_the_reference_or_with_seeded_training_responses(corpus):
    examples = corpus / "examples.parquet"
    human, random = baseline("human", examples, examples, 1), baseline("random", examples, examples, 1)
    assert human["response"].to_pylist() == human["reference"].to_pylist()
    assert set(random["response"].to_pylist()) <= set(human["reference"].to_pylist())
    assert random["response"].to_pylist() != human["response"].to_pylist()
    assert random.equals(baseline("random", examples, examples, 1))
    assert not random.equals(baseline("random", examples, examples, 2))


@pytest.mark.parametrize("system", ["cvae_bow", "k_cvae_bow", "sepacvae"])
def test_bfloat16_autocast_gives_nearly_the_float32_loss_and_gradient(corpus, system):
    vocabulary = Words.read(corpus / "words.parquet")
    model = built(system, vocabulary)
    dataset = ExampleDataset.open(corpus / "examples.arrow")
    dataset.beside = {"group": np.arange(19) % 4}
    losses, norms = [], []
    for precision in ("float32", "bfloat16"):
        with forward_pass(torch.device("cpu"), precision):
            loss = model.objective(dataset.batch(np.arange(19)), 0.5, torch.Generator().manual_seed(3)).loss
        model.zero_grad()
        loss.backward()
        losses.append(loss.item())
        norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert norms[1] == pytest.approx(norms[0], rel=0.05)


def test_what_a_training_step_is_computed_in_holds_for_it_alone():
    def now() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = now()
    for precision, wanted in {"float32": ("highest", False), "tf32": ("high", True)}.items():
        with products(precision):
            assert now() == wanted
        assert now() == before
    with pytest.raises(ZeroDivisionError), products("tf32"):
        _ = 1 / 0
    assert now() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_asking_for_a_gpu_where_there_is_none_says_what_to_do():
    with pytest.raises(PipelineError, match="no CUDA device") as error:
        choose_device("cuda")
    assert "device: auto" in str(error.value)


def test_a_system_over_word_pieces_answers_in_words_and_counts_words(corpus, tmp_path):
    """The list numbers its special pieces in an order of its own."""
    parts = ["[SEP]", *(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"), "[PAD]", "[CLS]"]
    pieces = Pieces([*parts, "[UNK]", *sorted({word[0] for word in WORDS})])
    encode_examples(corpus / "examples.parquet", pieces, tmp_path / "examples.arrow")
    data, texts = ExampleDataset.open(tmp_path / "examples.arrow"), read_parquet(corpus / "examples.parquet", EXAMPLES)
    response = data.batch(np.arange(4)).response
    assert set(response.inputs[:, 0].tolist()) == {pieces.ids.start} == {38}
    ends = response.targets.gather(1, response.lengths.unsqueeze(1) - 1)
    assert set(ends.ravel().tolist()) == {pieces.ids.end} == {0}
    assert [pieces.decode(row[: n - 1]) for row, n in zip(response.targets, response.lengths, strict=True)] == texts[
        "response"
    ].to_pylist()[:4]

    torch.manual_seed(0)
    sizes = LanguageModel(embedding=5, hidden=6, latent=3, initial_range=None)
    model = create("pipeline_lib.models.sentence_vae:RNNLM", {}, pieces, sizes)
    settings = SamplingSettings(kind="sampling", max_length=12, batch_size=4)
    table, _ = respond(model, pieces, data, texts, settings, 1, "train")
    assert table["tokens"].to_pylist() == [len(text.split()) + 1 for text in texts["response"].to_pylist()]
    assert any(table["response"].to_pylist())
    assert not any(part in text for part in ("#", "[") for text in table["response"].to_pylist())


@torch.no_grad()
def test_a_copied_word_is_written_as_the_context_has_it_though_the_units_lack_it(tmp_path):
    examples = {
        "example_id": [5, 6],
        "dialogue_id": ["d"] * 2,
        "turn": [0, 1],
        "context": ["zürich ab zürich", "b"],
        "response": ["a", "b"],
        "user": [None] * 2,
        "label": [None] * 2,
    }
    write_parquet(tmp_path / "examples.parquet", pa.table(examples), EXAMPLES)
    units = Pieces([*SPECIAL_PIECES, "a", "##b", "b"])
    encode_examples(tmp_path / "examples.parquet", units, tmp_path / "examples.arrow")
    network = Dialogue(hidden=4, dropout=0, initial_range=0.1)
    model = create("pipeline_lib.models.pointer:PointerSeq2Seq", {}, units, network)
    model.decoder.generates.bias.fill_(-30.0)  # copies
    model.decoder.score.weight.zero_()  # attends to all places alike: the word that occurs most is copied
    dataset = ExampleDataset.open(tmp_path / "examples.arrow")
    table, _ = respond(model, units, dataset, pa.table(examples), GreedySettings(max_length=2), 1, "train")
    assert table["response"].to_pylist() == ["zürich zürich", "b b"]
