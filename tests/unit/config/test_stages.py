"""Which measurements a table of costs reads, and where."""

from pathlib import Path
from typing import Any

import pytest

from pipeline_lib.config.layout import Stages
from pipeline_lib.config.loading import read_run
from pipeline_lib.config.stages import MEASURED, stages_of

ROOT = Path(__file__).parents[3]
PATHS = {rule: f"{rule}/{{corpus}}/{{system}}/{{seed}}/{{split}}" for rule in MEASURED} | {
    "extract_dialogues": "dialogues/{corpus}",
    "extract_examples": "examples/{corpus}",
    "select_vectors": "selected/{corpus}",
    "train_vectors": "trained/{corpus}",
    "filter_examples": "filtered/{corpus}",
    "encode_examples": "encoded/{corpus}/{units}/{split}",
    "cluster_examples": "clusters/{corpus}/{method}",
    "compare_systems": "tests/{corpus}/{table}",
}


def stages(**given: Any) -> Stages:
    config = read_run(ROOT, {"paper": "sepacvae", "preset": "small", **given})
    return stages_of(config, "costs", PATHS, "models/{corpus}/{system}/{seed}")


def test_a_part_of_a_split_has_costs_of_scoring_but_none_of_responses():
    assert stages(report={"tables": ["table3_unseen"]}).of_systems == {
        "training": "train_model/{corpus}/{system}/{seed}/{split}",
        "responses, test": "generate_responses/{corpus}/{system}/{seed}/test",
        "scores, test_unseen_pairs": "score_responses/{corpus}/{system}/{seed}/test_unseen_pairs",
    }


def test_the_stages_of_one_corpus_come_in_the_order_of_the_work():
    assert stages(rows=["human", "seq2seq", "a_cvae_bow", "k_cvae_bow"], report={"tables": ["table2"]}).shared == {
        "embedded": {
            "dialogues": "dialogues/embedded",
            "examples": "examples/embedded",
            "word vectors": "trained/embedded",
            "filtering": "filtered/embedded",
            "encoding, words": "encoded/embedded/words/train",
            "clusters, agglomerative": "clusters/embedded/agglomerative",
            "clusters, kmeans": "clusters/embedded/kmeans",
            "paired tests, table2": "tests/embedded/table2",
        }
    }


def test_systems_that_differ_in_their_decoding_alone_have_one_training():
    found = stages(rows=["random", "seq2seq", "cvae", "cvae_closest"], report={"tables": ["table2"]})
    assert found.trained == {"embedded": ["seq2seq", "cvae"]}


@pytest.mark.parametrize(
    "chosen",
    [{"rows": ["random", "cvae_closest"]}, {"tables": {"costs": {"systems": ["random", "cvae_closest"]}}}],
    ids=["rows", "systems"],
)
def test_the_training_of_a_model_is_shown_where_only_its_other_decoding_is_a_row(chosen):
    config = read_run(ROOT, {"paper": "sepacvae", "preset": "small"} | chosen)
    assert config.systems_of("costs") == ["random", "cvae_closest", "cvae"]
    assert config.models_of("embedded", config.systems_of("costs")) == ["cvae"]


def test_word_vectors_that_systems_learn_themselves_have_no_stage():
    assert "word vectors" not in stages(embeddings={"source": "none"}).shared["embedded"]
