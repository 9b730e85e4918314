"""Reference rows of generated corpora: likelihoods without texts, and corpora that have none."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline_lib.config.corpora import Source
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_parquet
from pipeline_lib.responses.exact import exact
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.responses import RESPONSES

OPENING = "here is the fresh soup that the chef brought ."
GENERIC = "yes , of course ."
SYNTHETIC = {"dialogues": 1250, "validation": 0.1, "test": 0.8}  # one corpus gives the rates


def source(reader: str = "synthetic", **given: Any) -> Source:
    sections = {"synthetic": SYNTHETIC, "grammar": {}} | given
    return Source(reader=reader, label="Mine", licence="own", bundles=[[{"name": "mine.txt"}]], **sections)


@pytest.fixture
def examples(tmp_path) -> Any:
    """Writes pairs of context and response as examples."""

    def written(*pairs: tuple[str, str]) -> Path:
        n = len(pairs)
        columns = {"example_id": range(n), "dialogue_id": ["d"] * n, "turn": range(n)}
        columns |= {"context": [pair[0] for pair in pairs], "response": [pair[1] for pair in pairs]}
        columns |= {"user": [None] * n, "label": [0] * n}
        write_parquet(tmp_path / "test.parquet", pa.table(columns), EXAMPLES)
        return tmp_path / "test.parquet"

    return written


def test_a_row_of_dialogues_has_one_likelihood_under_all_names_and_no_text(examples):
    plain = source(synthetic=SYNTHETIC | {"groups": 1})
    table = exact("truth", plain, examples((OPENING, GENERIC), (GENERIC, GENERIC)), "test")
    assert table.schema == RESPONSES
    expected = pytest.approx([-math.log(0.2 / 3)] * 2)  # many_to_one, and three generic replies of the only group
    assert all(table[name].to_pylist() == expected for name in ("nll", "bound", "nll_importance"))
    assert table["kl"].to_pylist() == [0, 0]
    assert table["response"].null_count == table["context_use"].null_count == 2


@pytest.mark.parametrize(
    ("context", "response"),
    [
        (OPENING, "how are you ?"),
        ("how are you ?", GENERIC),
        (OPENING, "i agree , the pie and the soup belong together ."),
        (f"{OPENING} <turn> {GENERIC}", GENERIC),
        (OPENING, "yes , of <unk> ."),
    ],
)
def test_an_example_that_is_not_of_the_generated_corpus_is_named(examples, context, response):
    with pytest.raises(PipelineError) as caught:
        exact("truth", source(), examples((OPENING, GENERIC), (context, response)), "test")
    assert "1 of 2 responses do not follow from their contexts" in str(caught.value)
    assert context in str(caught.value)
    assert response in str(caught.value)


@pytest.mark.parametrize(("kind", "reader"), [("truth", "sentences"), ("positions", "synthetic")])
def test_a_corpus_whose_distribution_is_not_known_is_refused(examples, kind, reader):
    with pytest.raises(PipelineError, match=f"the distribution of a corpus with reader '{reader}' is not known"):
        exact(kind, source(reader), examples((OPENING, GENERIC)), "test")
