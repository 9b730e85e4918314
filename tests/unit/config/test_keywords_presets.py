"""The preset of Keywords and Instances: what a changed setting trains again, and what it only scores again."""

from pathlib import Path
from typing import Any

from pipeline_lib.config.loading import read_run
from pipeline_lib.config.run import Config

ROOT = Path(__file__).parents[3]
TEN = {"cvae", "seq2seq", "transformer", "seq2seq_du", "dialogpt", "bert_gen", "t5", "group_wise", "t5_claps", "ours"}


def read(**over: Any) -> Config:
    return read_run(ROOT, {"paper": "keywords_and_instances", "preset": "small"} | over)


def trained_differently(one: Config, other: Config) -> set[str]:
    """Systems whose network, options or training differ."""
    return {
        name
        for name in one.trainable
        if one.description("paraphrases", name) != other.description("paraphrases", name)
        or one.training_of("paraphrases", name) != other.training_of("paraphrases", name)
    }


def test_another_temperature_trains_only_ours_of_the_ten_and_its_variants_without_one_of_their_own():
    changed = trained_differently(read(), read(systems={"ours": {"options": {"temperature": 0.3}}}))
    assert changed & TEN == {"ours"}
    variants = {name for name, system in read().systems.items() if system.model == read().systems["ours"].model}
    with_their_own = {name for name in variants if name.startswith("tau")}
    assert len(with_their_own) == 8
    assert changed == variants - with_their_own


def test_another_bleu_trains_nothing():
    assert trained_differently(read(), read(metrics={"bleu_smoothing": "legacy"})) == set()
