"""New users, distances of prior and posterior, and maps of users: what is fitted, and against what it is held."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import wasserstein_distance

from pipeline_lib.analyses import adaptation, prior_distance, users
from pipeline_lib.analyses.data import Data
from pipeline_lib.config.networks import Dialogue
from pipeline_lib.config.training import Training
from pipeline_lib.corpora.newcomers import Newcomers
from pipeline_lib.corpora.persona_language import language
from pipeline_lib.corpora.persona_truth import PersonaTruth
from pipeline_lib.errors import PipelineError
from pipeline_lib.figures import adaptation as figure
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.models.system import System, create
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.measures import MEASURES, SYSTEM
from pipeline_lib.schemas.users import users_schema
from pipeline_lib.schemas.vocabulary import vocabulary_schema
from pipeline_lib.text.words import Words
from unit.models.test_models_persona import made
from unit.personal_jobs import read_by, write_dialogues

OPTIONS = adaptation.Options(users=3, examples=[0, 4], measured=5, updates=25, draws=2, seed=3)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every word that generated users say, with a vector."""
    known = language()
    texts = [token for template in known.templates.values() for token in template.tokens if not token.startswith("{")]
    content = [*known.things, *known.qualities, *known.facts, *(v for values in known.facts.values() for v in values)]
    tokens = ["<pad>", "<unk>", "<s>", "</s>", "<turn>", *dict.fromkeys([*texts, *content, *known.marker])]
    vectors = np.random.default_rng(0).normal(size=(len(tokens), 6)).tolist()
    n = len(tokens)
    words = {"token_id": range(n), "token": tokens, "count": [1] * n, "known": [True] * n, "vector": vectors}
    path = tmp_path_factory.mktemp("words") / "words.parquet"
    write_parquet(path, pa.table(words), vocabulary_schema(6))
    return path


def system(vocabulary: Path, path: str) -> System:
    torch.manual_seed(2)
    sizes = Dialogue(hidden=6, latent=3, user=4, dropout=0.3, initial_range=0.4)
    return create(f"pipeline_lib.models.{path}", {"users": 5}, Words.read(vocabulary), sizes)


def data_of(vocabulary: Path, known: int = 5) -> Data:
    n = known + 1
    users = {"example_id": range(n), "user": range(n), "floors": [[1, 0]] * n, "speakers": [[0, 0]] * n}
    path = vocabulary.parent / f"users_{known}.parquet"
    write_parquet(path, pa.table(users, schema=users_schema(2)), users_schema(2))
    return Data(vocabulary, {}, {}, {"user": path}, None, Training(), 1)


SYSTEMS = ["persona_seq2seq:PersonaSeq2Seq", "persona_wae:PersonaCVAE", "persona_wae:PersonaWAE"]


@pytest.mark.parametrize("path", SYSTEMS)
def test_vectors_of_new_users_are_fitted_and_nothing_else_of_the_system_changes(vocabulary, path):
    model = system(vocabulary, path)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    units, newcomers = Words.read(vocabulary), Newcomers(3, seed=1)
    told = [[newcomers.tell(user) for _ in range(6)] for user in range(3)]
    table = users.user_table(model)
    known = table.weight.detach()[1:4]
    at_start = adaptation._fitted(model, table, known, units, [[] for _ in told], OPTIONS, 1)
    fitted = adaptation._fitted(model, table, known, units, told, OPTIONS, 1)
    assert torch.equal(at_start, known.mean(0).expand(3, -1))
    own, first = (adaptation._measured(model, table, units, told, each, OPTIONS, 1) for each in (fitted, at_start))
    assert own.sum() > first.sum()  # of the exchanges that they were fitted to
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(table(torch.tensor([2])), table.weight[[2]])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_optimum_is_the_mean_of_what_is_exactly_known_and_the_system_stays_below_it(vocabulary):
    model = system(vocabulary, "persona_seq2seq:PersonaSeq2Seq")
    table = adaptation.analyse(model, data_of(vocabulary), OPTIONS, seed=1)
    assert table.schema == MEASURES
    found = {(row["row"], row["column"]): row for row in table.to_pylist()}
    newcomers = Newcomers(OPTIONS.users, OPTIONS.seed)
    told = [[newcomers.tell(user) for _ in range(4 + 5)] for user in range(3)]
    for k in (0, 4):
        exact = [np.mean([newcomers.log_p(each[:k], one) for one in each[4:]]) for each in told]
        optimum = found[adaptation.OPTIMUM, f"k = {k}"]
        assert optimum["value"] == pytest.approx(np.mean(exact))
        assert optimum["error"] == pytest.approx(np.std(exact, ddof=1) / np.sqrt(3))
        assert found[SYSTEM, f"k = {k}"]["value"] < optimum["value"]
        assert found[SYSTEM, f"k = {k}"]["n"] == 3


def test_vectors_of_nobody_in_a_table_with_room_for_more_users_change_nothing(vocabulary):
    model = system(vocabulary, "persona_seq2seq:PersonaSeq2Seq")
    data = data_of(vocabulary, known=3)
    before = adaptation.analyse(model, data, OPTIONS, seed=1)
    with torch.no_grad():
        users.user_table(model).weight[4:] += 100
    assert adaptation.analyse(model, data, OPTIONS, seed=1).equals(before)


def test_another_corpus_and_a_system_without_users_are_errors(vocabulary, tmp_path):
    other = write_dialogues(tmp_path) / "words.parquet"
    with pytest.raises(PipelineError, match="a word of the generated users"):
        adaptation.analyse(system(other, "persona_wae:PersonaWAE"), data_of(other), OPTIONS, 1)
    with pytest.raises(PipelineError, match="no vectors of users"):
        adaptation.analyse(made("diawae_gmd"), data_of(vocabulary), OPTIONS, 1)


def test_the_figure_has_a_curve_of_each_system_and_one_of_the_optimum(tmp_path):
    rows = [
        {"row": row, "column": f"k = {k}", "value": value + k, "error": 0.1, "n": 6}
        for row, value in ((SYSTEM, -9.0), (adaptation.OPTIMUM, -8.0))
        for k in (0, 10, 2)
    ]
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file in files:
        write_parquet(file, pa.Table.from_pylist(rows, MEASURES), MEASURES)
    paths = [tmp_path / f"figure.{kind}" for kind in ("svg", "png", "csv")]
    figure.plot({"a": "First", "b": "Second"}, files, figure.Options(), *paths)
    table = figure.numbers({"a": "First", "b": "Second"}, files)
    assert table["system"].to_pylist() == ["First"] * 3 + ["Second"] * 3 + [adaptation.OPTIMUM] * 3
    assert table["exchanges"].to_pylist() == [0, 2, 10] * 3
    assert all(path.stat().st_size for path in paths)
    of_another = [row | {"column": "KL to the prior"} for row in rows]
    write_parquet(files[0], pa.Table.from_pylist(of_another, MEASURES), MEASURES)
    with pytest.raises(PipelineError, match="a value named 'KL to the prior'"):
        figure.numbers({"a": "First", "b": "Second"}, files)


def test_a_figure_has_room_for_many_systems(tmp_path):
    rows = [
        {"row": row, "column": "k = 1", "value": -1.0, "error": None, "n": 6} for row in (SYSTEM, adaptation.OPTIMUM)
    ]
    write_parquet(tmp_path / "a.parquet", pa.Table.from_pylist(rows, MEASURES), MEASURES)
    systems = {f"system{number}": f"System {number}" for number in range(12)}
    drawn = figure.draw(figure.numbers(systems, [tmp_path / "a.parquet"] * 12), systems)
    assert len(drawn.axes[0].containers) == 13


@pytest.mark.parametrize("examples", [[], [-1], [2, 2]])
def test_numbers_of_exchanges_are_checked_before_a_run(examples):
    with pytest.raises(ValidationError):
        adaptation.Options(examples=examples)


# --- maps and distances ----------------------------------------------------------------------------------------------


def test_the_map_has_the_vector_and_the_true_group_of_each_known_user(vocabulary, tmp_path):
    model, truth = system(vocabulary, "persona_wae:PersonaWAE"), PersonaTruth()
    rng = random.Random(1)
    speakers = [7, 7, 20, 31, 31]
    rows = [
        {
            "example_id": number,
            "dialogue_id": "d",
            "turn": 0,
            "context": "c",
            "response": truth.opening(user, rng),
            "user": f"user{user}",
            "label": user,
        }
        for number, user in enumerate(speakers)
    ]
    write_parquet(tmp_path / "train.parquet", pa.Table.from_pylist(rows, EXAMPLES), EXAMPLES)
    numbers = {"example_id": range(5), "user": [2, 2, 0, 1, 1], "floors": [[1, 0]] * 5, "speakers": [[0, 0]] * 5}
    write_parquet(tmp_path / "users.parquet", pa.table(numbers, schema=users_schema(2)), users_schema(2))
    files = {"train": tmp_path / "train.parquet"}, {"user": tmp_path / "users.parquet"}
    data = Data(vocabulary, {}, *files, None, Training(), 1)
    table = users.analyse(model, data, users.Options(), 1)
    assert table["example_id"].to_pylist() == [1, 2]
    assert table["group"].to_pylist() == [language().groups[31], language().groups[7]]
    assert table["label"].null_count == 2  # nothing that the groups could be compared with
    np.testing.assert_array_equal(
        np.array(table["posterior_mean"].to_pylist(), np.float32), model.users.vectors.weight.detach().numpy()[1:3]
    )


def test_sliced_distances_are_means_of_those_on_lines_and_zero_of_a_sample_and_itself():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(80, 3)), rng.normal(0.5, 2, size=(80, 3))
    directions = prior_distance.unit_directions(3, 40, 1)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1)
    expected = np.mean([wasserstein_distance(one @ line, other @ line) for line in directions.T])
    assert prior_distance.sliced_distance(one, other, directions) == pytest.approx(expected)
    assert prior_distance.sliced_distance(one, one[::-1], directions) == 0
    shifted = prior_distance.sliced_distance(one, one + np.array([3.0, 0, 0]), directions)
    assert shifted == pytest.approx(3 * np.abs(directions[0]).mean())


def test_distances_of_a_trained_system_are_over_all_examples_of_the_split(tmp_path):
    folder = write_dialogues(tmp_path)
    data = Data(folder / "words.parquet", {"test": folder / "train.arrow"}, {}, read_by(folder), None, Training(), 1)
    model = system(folder / "words.parquet", "persona_wae:PersonaWAE")
    table = prior_distance.analyse(model, data, prior_distance.Options(), 1)
    assert table["column"].to_pylist() == ["prior to posterior", "two draws of the prior", "spread of the posterior"]
    assert set(table["n"].to_pylist()) == {40}
