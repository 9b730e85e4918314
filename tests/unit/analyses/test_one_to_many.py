"""The sweep: uptake on generated dialogues, intervals against their definitions, a point from files made by hand."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from pipeline_lib.analyses.one_to_many import INFERRED, POINT, UPTAKE, Measured, over_runs, point
from pipeline_lib.config.corpora import Synthetic
from pipeline_lib.config.sweep import SWEPT
from pipeline_lib.corpora.synthetic import generate
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_json, write_parquet
from pipeline_lib.metrics.intervals import LEVEL
from pipeline_lib.metrics.uptake import things, uptake
from pipeline_lib.schemas.responses import RESPONSES
from pipeline_lib.schemas.scores import SCORES
from pipeline_lib.text.tokenisers.english import tokenise_array


def examples(**rates):
    """(context, response, group) of a generated corpus, tokenised."""
    rows = generate(Synthetic(dialogues=200, **rates))
    texts = tokenise_array(rows["text"]).to_pylist()
    dialogues, labels = rows["dialogue_id"].to_pylist(), rows["label"].to_pylist()
    follows = [i for i in range(1, len(texts)) if dialogues[i] == dialogues[i - 1]]
    return [(texts[i - 1], texts[i], labels[i]) for i in follows]


def column(texts):
    return pa.chunked_array([pa.array(texts, pa.string())])


def of_examples(contexts, responses):
    return uptake(column(contexts), column(responses))


# --- uptake ---


def test_every_answer_of_a_corpus_without_generic_replies_takes_up_its_context_whatever_its_group():
    contexts, responses, _ = zip(*examples(many_to_one=0.0, one_to_many=1.0), strict=True)
    taken = of_examples(contexts, responses)
    assert len(taken) == len(contexts)
    assert all(taken)


def test_answers_to_other_contexts_seldom_take_up_this_one():
    contexts, responses, _ = zip(*examples(many_to_one=0.0), strict=True)
    assert np.mean(of_examples(contexts, responses[7:] + responses[:7])) < 0.1


def test_generic_answers_take_up_nothing_and_generic_contexts_do_not_count():
    contexts, responses, _ = zip(*examples(many_to_one=0.5), strict=True)
    named = [things().isdisjoint(context.split()) for context in contexts]
    plain = [things().isdisjoint(response.split()) for response in responses]
    expected = [not generic for skipped, generic in zip(named, plain, strict=True) if not skipped]
    assert of_examples(contexts, responses) == expected
    assert 0 < sum(expected) < len(expected) < len(contexts)


# --- what the rates do ---


def per(first, second):
    """Mean number of different ``second`` of one ``first``."""
    found = defaultdict(set)
    for a, b in zip(first, second, strict=True):
        found[a].add(b)
    return np.mean([len(several) for several in found.values()])


def test_the_one_to_many_rate_multiplies_the_responses_of_a_context_and_frees_the_group_of_it():
    context, response, group = zip(*examples(one_to_many=0.0, many_to_one=0.0), strict=True)
    assert per(context, response) == per(context, group) == 1
    context, response, group = zip(*examples(one_to_many=1.0, many_to_one=0.0), strict=True)
    assert per(context, response) > 1.3
    assert per(context, group) == per(context, response)  # each further response is of another group


def test_the_many_to_one_rate_multiplies_the_contexts_of_a_response():
    contexts, responses, _ = zip(*examples(one_to_many=0.0, many_to_one=0.0), strict=True)
    assert per(responses, contexts) == 1
    contexts, responses, _ = zip(*examples(one_to_many=0.0, many_to_one=0.8), strict=True)
    assert per(responses, contexts) > 2


# --- intervals ---


def test_without_an_error_over_items_the_interval_is_that_of_students_t():
    values = [0.31, 0.27, 0.42]
    expected = stats.t.interval(LEVEL, 2, loc=np.mean(values), scale=stats.sem(values))
    found = over_runs([Measured(value) for value in values])
    assert found.value == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_of_one_run_or_of_equal_ones_the_interval_is_the_normal_one_over_items():
    expected = stats.norm.interval(LEVEL, loc=0.5, scale=0.02)
    for runs in ([Measured(0.5, 0.02)], [Measured(0.5, 0.02)] * 3):
        assert over_runs(runs)[1:] == pytest.approx(expected)
    assert over_runs([Measured(0.5)]) == (0.5, 0.5, 0.5)


def test_the_squared_margins_of_runs_and_items_add():
    values, error = [0.2, 0.5, 0.4], 0.1
    found = over_runs([Measured(value, error) for value in values])
    of_runs = stats.t.ppf((1 + LEVEL) / 2, 2) * stats.sem(values)
    of_items = stats.norm.ppf((1 + LEVEL) / 2) * error
    assert found.high - found.value == pytest.approx((of_runs**2 + of_items**2) ** 0.5)


@pytest.mark.parametrize("runs", [2, 3, 5])
def test_the_interval_covers_the_truth_when_runs_and_items_vary(runs):
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        of_items, of_runs = random.normal(0, 1, 50), random.normal(0, 0.5, (runs, 1))
        values = of_items + of_runs + random.normal(0, 1, (runs, 50))
        errors = values.std(1) / 50**0.5
        low, high = over_runs([Measured(*run) for run in zip(values.mean(1), errors, strict=True)])[1:]
        covered += low < 0 < high
    assert covered / 1000 >= 0.95


# --- a point ---

RUNS = [("cvae", 1), ("cvae", 2), ("sepacvae", 1), ("sepacvae", 2)]


def written(folder, changes=()):
    """Files of one point: two systems, two seeds; ``changes`` replace (metric, seed) values, None leaves one out."""
    values = dict.fromkeys(SWEPT, 0.5) | {"ARI": None}
    files = {"scores": [], "items": []}
    for system, seed in RUNS:
        run = {"corpus": "made", "split": "test", "system": system, "seed": seed, "selection": "none"}
        rest = {"n": 4, "n_empty": 0, "n_oov": 0, "signature": "s"}
        rows = []
        for metric, value in values.items():
            value = dict(changes).get((metric, seed), value)
            limits = {"low": 0.4, "high": 0.6} if metric == "BLEU-2" else {"low": None, "high": None}
            if value != "absent":
                rows.append(run | rest | limits | {"metric": metric, "value": value})
        files["scores"].append(folder / f"{system}{seed}.parquet")
        write_parquet(files["scores"][-1], pa.Table.from_pylist(rows, SCORES), SCORES)
        files["items"].append(folder / f"{system}{seed}.items.parquet")
        answers = ["i will taste the soup .", "why ?", "no .", "the pie is salty ."]
        texts = {"context": ["the soup is salty .", "why ?", "a soup .", "my pie ."], "response": answers}
        table = pa.table({name: texts.get(name, [None] * 4) for name in RESPONSES.names})
        loose = pa.schema([pa.field(field.name, field.type) for field in RESPONSES])
        write_parquet(files["items"][-1], table.cast(loose), loose, {"system": system, "seed": str(seed)})
    train = {"distinct_pairs": 12, "contexts": 8, "responses": 10}
    write_json(folder / "counts.json", {"corpus": "made", "splits": {"train": train}})
    return files | {
        "expect": [f"made/test/{system}/{seed}" for system, seed in RUNS],
        "groups": {"sepacvae": [latents(folder / f"{seed}.latents.parquet", [2, 2, 0, 1]) for seed in (1, 2)]},
        "counts": folder / "counts.json",
    }


def latents(path, groups, labels=(5, 5, 6, 7)):
    schema = pa.schema([("group", pa.int16()), ("label", pa.int32())])
    write_parquet(path, pa.table({"group": groups, "label": list(labels)}), schema)
    return path


def test_a_point_holds_every_measure_that_a_system_defines_with_the_true_rates_of_its_corpus(tmp_path):
    table = point(**written(tmp_path))
    assert table.schema == POINT
    rows = {(row["system"], row["metric"]): row for row in table.to_pylist()}
    assert {len(row["of_runs"]) for row in rows.values()} == {2}
    assert rows["cvae", "BLEU-2"]["of_runs"] == [0.5, 0.5]
    assert {row["responses_per_context"] for row in rows.values()} == {1.5}
    assert {row["contexts_per_response"] for row in rows.values()} == {1.2}
    assert rows["cvae", UPTAKE]["value"] == pytest.approx(2 / 3)  # "why ?" names nothing
    assert rows["sepacvae", INFERRED]["value"] == 1  # the same partition under other numbers
    assert ("cvae", INFERRED) not in rows
    assert ("cvae", "ARI") not in rows
    bleu = rows["cvae", "BLEU-2"]
    assert (bleu["value"], bleu["low"], bleu["high"]) == pytest.approx((0.5, 0.4, 0.6))  # equal runs: over items alone


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([(("kl", 1), "absent"), (("kl", 2), "absent")], ["no score is named 'kl'", "BLEU-2", "delete"]),
        ([(("kl", 2), None)], ["defined in 1 of 2 runs", "made, cvae, kl", "every run", "logs"]),
    ],
)
def test_a_metric_that_is_missing_somewhere_is_an_error_that_names_it(tmp_path, changes, says):
    with pytest.raises(PipelineError) as error:
        point(**written(tmp_path, changes))
    assert all(part in str(error.value) for part in says)


def test_a_run_that_is_missing_is_an_error(tmp_path):
    files = written(tmp_path)
    with pytest.raises(PipelineError, match="1 of 5 runs have no scores") as error:
        point(**files | {"expect": [*files["expect"], "made/test/cvae/3"]})
    assert "made/test/cvae/3" in str(error.value)


@pytest.mark.parametrize(
    ("groups", "labels", "missing"), [([None] * 4, (1, 2, 3, 4), "group"), ([1] * 4, [None] * 4, "label")]
)
def test_pairs_without_group_or_label_are_an_error_that_says_what_to_sweep(tmp_path, groups, labels, missing):
    files = written(tmp_path)
    files["groups"] = {"sepacvae": [latents(tmp_path / "other.parquet", groups, labels)]}
    with pytest.raises(PipelineError, match=f"4 examples have no {missing}") as error:
        point(**files)
    assert all(part in str(error.value) for part in ("other.parquet", "expected:", "sweep a generated corpus"))
