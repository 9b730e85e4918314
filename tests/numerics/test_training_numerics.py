"""No change of the code's form may change what a system learns.

See numerics/record.py.
"""

import json
from pathlib import Path

import pytest

from numerics.trained import SYSTEMS, machine, record

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text(encoding="utf-8"))
EXACT = ("weights", "responses")


@pytest.mark.parametrize("system", SYSTEMS)
def test_fifty_steps_have_the_recorded_losses_and_end_with_the_recorded_weights(system, tmp_path):
    found, expected = record(system, tmp_path), RECORDED["systems"][system]
    for name, value in expected.items():
        if name not in EXACT:
            assert found[name] == pytest.approx(value, rel=1e-4), name
    if RECORDED["machine"] == machine():  # elsewhere the last bits may differ, and with them the digests
        assert found == expected
