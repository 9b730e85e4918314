"""The short form of `python tests/fuzz/run.py`: the same cases every time, a few for each reader."""

import tempfile
from pathlib import Path

import pytest
from fuzz_corpora import READERS as CORPORA
from fuzz_promise import Reader
from fuzz_ratings import READERS as RATINGS
from fuzz_settings import READERS as SETTINGS
from fuzz_stored import READERS as STORED
from fuzz_tables import READERS as TABLES
from fuzz_vectors import READERS as VECTORS
from hypothesis import HealthCheck, given, settings

CASES = 60


@pytest.mark.parametrize(
    "reader", [*CORPORA, *TABLES, *VECTORS, *SETTINGS, *RATINGS, *STORED], ids=lambda reader: reader.name
)
def test_whatever_is_put_before_a_reader_is_read_rightly_or_refused_by_name(reader: Reader) -> None:
    accepted = []

    @settings(max_examples=CASES, database=None, suppress_health_check=list(HealthCheck))
    @given(reader.cases)
    def check(case: object) -> None:
        with tempfile.TemporaryDirectory() as folder:
            inner = Path(folder, "case")
            inner.mkdir()
            accepted.append(reader.check(inner, case))

    check()
    assert any(accepted), "every case was refused: nothing was compared"
