"""Negatives, graph and what networks read of them, from the files of a small corpus, against what its texts say."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_lib.config.contrasts import Contrasts
from pipeline_lib.config.corpora import Source, Window
from pipeline_lib.config.keywords import Keywords
from pipeline_lib.config.paraphrases import Paraphrases
from pipeline_lib.corpora.pairs import arranged
from pipeline_lib.corpora.paraphrases import generate
from pipeline_lib.errors import PipelineError
from pipeline_lib.examples.contrasted import encoded_for, graph_of, negatives_of
from pipeline_lib.examples.dataset import ExampleDataset
from pipeline_lib.examples.encoded import encode_examples
from pipeline_lib.examples.graphs import read_graph
from pipeline_lib.examples.windows import extract_examples
from pipeline_lib.files.formats import read_parquet, write_parquet
from pipeline_lib.schemas.contrasts import CONTRASTS
from pipeline_lib.schemas.dialogues import DIALOGUES, SPLITS
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.tables.negatives import facts
from pipeline_lib.text.keywords import extract_keywords
from pipeline_lib.text.tokenisers import english
from pipeline_lib.text.units import read_units
from pipeline_lib.vectors.space import VectorSpace
from unit.vocabularies import write_words

LIMITS = Keywords(ties="idf")
HELD_OUT = [  # context, response, cluster, negative, split: for tests of training pairs
    ("is it dry?", "has it dried?", "c", None, "validation"),
    ("is it late?", "what time is it?", "d", None, "validation"),
    ("is it cold?", "is it warm?", "e", None, "test"),
    ("is it far?", "is it near?", "f", None, "test"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("contrasted")
    generated = generate(Paraphrases(meanings=120, topics=3, words_per_slot=4, validation=0.2, test=0.2))
    _stages(made, pa.Table.from_batches([generated]))
    return made


def _stages(made: Path, dialogues: pa.Table) -> None:
    write_parquet(made / "dialogues.parquet", dialogues, DIALOGUES)
    examples = {split: made / f"{split}.parquet" for split in SPLITS}
    extract_examples(made / "dialogues.parquet", Window(), english.tokenise_array, examples, made / "tokens.parquet")
    for split in SPLITS:
        keywords = made / f"keywords_{split}.parquet"
        extract_keywords(examples[split], examples["train"], LIMITS, "english", 1, keywords)
        table = _negatives(made, split)
        write_parquet(made / f"negatives_{split}.parquet", table, CONTRASTS)
    graph = graph_of(*_of(made), _vectors(made), most=3)
    write_parquet(made / "keywords.parquet", graph, graph.schema)


def _negatives(made: Path, split: str) -> pa.Table:
    files = (made / f"{split}.parquet", made / f"keywords_{split}.parquet", made / "train.parquet")
    return negatives_of(*files, made / "dialogues.parquet", 1, english, LIMITS, Contrasts())


def _of(made: Path) -> tuple[list[Path], list[Path]]:
    return [made / f"negatives_{split}.parquet" for split in SPLITS], [made / f"{split}.parquet" for split in SPLITS]


def _tokens(made: Path) -> list[str]:
    texts = [read_parquet(made / f"{split}.parquet") for split in SPLITS]
    return sorted(
        {word for t in texts for side in ("context", "response") for x in t[side].to_pylist() for word in x.split()}
    )


def _vectors(made: Path) -> VectorSpace:
    tokens = _tokens(made)
    return VectorSpace(pa.array(tokens), np.random.default_rng(1).normal(size=(len(tokens), 5)).astype(np.float32), "x")


def test_every_example_has_a_negative_of_its_own_split_and_another_cluster(folder):
    for split in SPLITS:
        examples = read_parquet(folder / f"{split}.parquet").to_pylist()
        negatives = read_parquet(folder / f"negatives_{split}.parquet").to_pylist()
        assert [row["example_id"] for row in negatives] == [row["example_id"] for row in examples]
        clusters: dict[str, set[str]] = {}
        for row in examples:
            for side in ("context", "response"):
                clusters.setdefault(row[side], set()).add(row["dialogue_id"])
        for example, row in zip(examples, negatives, strict=True):
            assert example["dialogue_id"] not in clusters[row["negative"]]


def test_a_keyword_is_the_mean_of_its_training_texts_and_an_unseen_one_of_held_out_contexts_else_of_the_rest(folder):
    graph = read_parquet(folder / "keywords.parquet").to_pylist()
    vectors = _vectors(folder)
    known = dict(zip(vectors.tokens.to_pylist(), vectors.matrix, strict=True))

    def mean(text: str) -> np.ndarray:
        return np.mean([known[word] for word in text.split()], axis=0)

    texts: dict[str, dict[str, list[np.ndarray]]] = {"training": {}, "contexts": {}, "rest": {}}
    for split in SPLITS:
        pairs = zip(
            read_parquet(folder / f"{split}.parquet").to_pylist(),
            read_parquet(folder / f"negatives_{split}.parquet").to_pylist(),
            strict=True,
        )
        for example, row in pairs:
            sides = (("keyword_in", example["context"]), ("keyword_out", example["response"]))
            for side, text in (*sides, ("keyword_negative", row["negative"])):
                held_out = "contexts" if side == "keyword_in" else "rest"
                texts["training" if split == "train" else held_out].setdefault(row[side], []).append(mean(text))
    known_by = Counter()
    for node in graph:
        source = next(source for source, own in texts.items() if node["keyword"] in own)
        known_by[source] += 1
        if source != "training":
            assert set(node["positive"]) == set(node["negative"]) == {-1}
        np.testing.assert_allclose(node["vector"], np.mean(texts[source][node["keyword"]], axis=0), atol=1e-5)
    assert known_by["contexts"]


def test_the_node_of_a_context_does_not_change_with_held_out_responses(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for split in ("validation", "test"):
        examples = read_parquet(folder / f"{split}.parquet")
        turned = examples.set_column(
            examples.column_names.index("response"),
            "response",
            examples["response"].take(list(range(len(examples)))[::-1]),
        )
        write_parquet(tmp_path / f"{split}.parquet", turned, EXAMPLES)
    before, after = (graph_of(*_of(made), _vectors(folder), most=3).to_pylist() for made in (folder, tmp_path))
    asked = {word for path in _of(folder)[0] for word in read_parquet(path)["keyword_in"].to_pylist()}
    assert [node["vector"] for node in before if node["keyword"] in asked] == [
        node["vector"] for node in after if node["keyword"] in asked
    ]


def test_no_impostor_of_the_corpus_is_the_keyword_itself_or_a_positive_neighbour(folder):
    rows = read_parquet(folder / "negatives_train.parquet").to_pylist()
    answers: dict[str, set[str]] = {}
    for row in rows:
        answers.setdefault(row["keyword_in"], set()).add(row["keyword_out"])
    graph = read_parquet(folder / "keywords.parquet").to_pylist()
    words = [node["keyword"] for node in graph]
    for node in graph:
        positive = {other for said in answers.values() if node["keyword"] in said for other in said}
        found = {words[other] for other in node["impostors"] if other >= 0}
        assert len(found) >= 2
        assert not found & (positive | {node["keyword"]})


def test_a_network_reads_the_ids_of_negatives_and_keywords_and_one_graph(folder, tmp_path):
    write_words(tmp_path / "words.parquet", _tokens(folder))
    units = read_units(tmp_path / "words.parquet")
    contrasts, _ = _of(folder)
    keywords = [folder / f"keywords_{split}.parquet" for split in SPLITS]
    table = encoded_for(contrasts, keywords, folder / "keywords.parquet", units)
    write_parquet(tmp_path / "read.parquet", table, table.schema)
    encode_examples(folder / "test.parquet", units, tmp_path / "test.arrow")
    fields = ("negative", "keywords", "nodes")
    reads = dict.fromkeys(fields, tmp_path / "read.parquet") | {"graph": folder / "keywords.parquet"}
    dataset = ExampleDataset.open(tmp_path / "test.arrow", reads)
    batch = dataset.batch(np.arange(len(dataset)))
    words = read_parquet(folder / "keywords.parquet")["keyword"].to_pylist()
    ranked = read_parquet(folder / "keywords_test.parquet")["context_keywords"].to_pylist()
    for row, told in enumerate(read_parquet(folder / "negatives_test.parquet").to_pylist()):
        ids = batch.negative.ids[row, : batch.negative.lengths[row]].tolist()
        assert units.decode(ids) == told["negative"]
        assert [words[node] for node in batch.nodes[row]] == [
            told[side] for side in ("keyword_in", "keyword_out", "keyword_negative")
        ]
        own = [int(id) for id in batch.keywords[row] if id != units.ids.pad]
        assert units.decode(own).split() == ranked[row]
    assert batch.graph.vectors.shape == (len(words), 5)


def _pairs(rows: list[tuple[str | None, ...]]) -> pa.Table:
    names = ("context", "response", "cluster", "negative", "split")
    table = pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    )
    source = Source(reader="pairs", label="x", licence="", bundles=[[{"name": "x.csv"}]])
    return pa.Table.from_batches([arranged(table, source)])


def test_a_text_that_is_labelled_as_different_is_the_negative(tmp_path):
    rows = [
        ("how are you", "how do you do", "b", "who taught you that", "train"),
        ("how do you do", "how are you", "b", None, "train"),
        ("where is the lamp", "where can the lamp be", "a", None, "train"),
        *HELD_OUT,
    ]
    _stages(tmp_path, _pairs(rows))
    found = read_parquet(tmp_path / "negatives_train.parquet").to_pylist()
    assert [(row["source"], row["negative"]) for row in found][:1] == [("labelled", "who taught you that")]
    assert found[0]["keyword_negative"] in ("taught", "who", "that")
    assert {row["source"] for row in found[1:]} <= {"mined", "drawn"}


@pytest.mark.parametrize(
    ("negative", "is_left_out"),
    [
        ("How do you do?", True),  # the response, but for capitals
        ("HOW are you ?", True),  # the context
        ("what is new?", True),  # another text of the cluster
        ("is it far?", False),  # a text of another cluster
    ],
)
def test_a_labelled_text_of_the_own_cluster_is_left_out_and_another_is_found(tmp_path, caplog, negative, is_left_out):
    rows = [
        ("how are you?", "how do you do?", "b", negative, "train"),
        ("What is new?", "what is it that is new?", "b", None, "train"),
        ("where is the lamp?", "where can the lamp be?", "a", "who taught you that?", "train"),
        *HELD_OUT,
    ]
    with caplog.at_level("WARNING", logger="pipeline_lib.examples.contrasted"):
        _stages(tmp_path, _pairs(rows))
    first, _, other = read_parquet(tmp_path / "negatives_train.parquet").to_pylist()
    assert (other["source"], other["negative"]) == ("labelled", "who taught you that ?")
    if not is_left_out:
        assert (first["source"], first["negative"]) == ("labelled", "is it far ?")
        assert not caplog.records
        return
    assert first["source"] in ("mined", "drawn")
    assert first["negative"] in ("where is the lamp ?", "where can the lamp be ?")
    assert [record.getMessage()[:30] for record in caplog.records] == ["1 of 2 labelled texts are left"]


def test_labelled_texts_that_are_all_of_their_own_clusters_leave_none(tmp_path):
    rows = [
        ("how are you", "how do you do", "b", "How do you do", "train"),
        ("where is the lamp", "where can the lamp be", "a", None, "train"),
        *HELD_OUT,
    ]
    _stages(tmp_path, _pairs(rows))
    assert not set(read_parquet(tmp_path / "negatives_train.parquet")["source"].to_pylist()) & {"labelled"}


def test_examples_of_one_cluster_have_no_negatives(folder, tmp_path):
    table = read_parquet(folder / "test.parquet")
    same = table.set_column(1, "dialogue_id", pa.array(["a"] * len(table)))
    write_parquet(tmp_path / "test.parquet", same, table.schema)
    with pytest.raises(PipelineError, match="of one cluster"):
        negatives_of(
            tmp_path / "test.parquet",
            folder / "keywords_test.parquet",
            folder / "train.parquet",
            folder / "dialogues.parquet",
            1,
            english,
            LIMITS,
            Contrasts(),
        )


def test_a_file_that_is_no_graph_is_an_error_that_names_it(folder):
    with pytest.raises(PipelineError, match="no column 'positive'") as caught:
        read_graph(folder / "test.parquet")
    assert str(caught.value.where).endswith("test.parquet")


def test_false_negatives_of_generated_questions_are_counted_by_their_meaning(folder):
    texts = read_parquet(folder / "test.parquet", columns=["example_id", "context", "response"])
    table = texts.join(read_parquet(folder / "negatives_test.parquet"), "example_id")
    *_, told, _, recovered = facts(table)
    share = float(told.split()[0])
    copied = table.set_column(table.column_names.index("negative"), "negative", table["response"])
    assert 0 <= share < 0.2
    assert list(facts(copied))[-3].startswith("1.000 of the negatives mean what")
    assert recovered.startswith("The best keyword of 0.")


def test_an_empty_text_is_an_error_before_negatives_are_looked_for(folder, tmp_path):
    for name in ("train.parquet", "keywords_train.parquet", "dialogues.parquet"):
        write_parquet(tmp_path / name, read_parquet(folder / name), read_parquet(folder / name).schema)
    keywords = read_parquet(tmp_path / "keywords_train.parquet")
    lists = [[], *keywords["context_keywords"].to_pylist()[1:]]
    place = keywords.column_names.index("context_keywords")
    emptied = keywords.set_column(
        place, keywords.schema.field(place), pa.array(lists, keywords.schema.field(place).type)
    )
    write_parquet(tmp_path / "keywords_train.parquet", emptied, keywords.schema)
    with pytest.raises(PipelineError, match="the context of 1 examples is empty"):
        _negatives(tmp_path, "train")


def test_a_keyword_that_every_other_is_related_to_is_named(tmp_path):
    for split in SPLITS:
        n = int(split == "train")
        columns = {"dialogue_id": ["d"] * n, "context": ["a b"] * n, "response": ["a b"] * n, "user": [None] * n}
        columns |= {"example_id": range(n), "turn": [0] * n, "label": [None] * n}
        write_parquet(tmp_path / f"{split}.parquet", pa.table(columns, EXAMPLES), EXAMPLES)
        columns = {"example_id": range(n), "negative": ["a"] * n, "source": ["drawn"] * n, "similarity": [0.0] * n}
        columns |= {"keyword_in": ["a"] * n, "keyword_out": ["b"] * n, "keyword_negative": ["a"] * n}
        write_parquet(tmp_path / f"negatives_{split}.parquet", pa.table(columns, CONTRASTS), CONTRASTS)
    vectors = VectorSpace(pa.array(["a", "b"]), np.eye(2, dtype=np.float32), "x")
    with pytest.raises(PipelineError, match="fewer than two keywords that could pass for them, such as 'b'"):
        graph_of(*_of(tmp_path), vectors, most=3)
