"""The annealed weight against its closed forms."""

import math

import pytest

from pipeline_lib.config.training import Cyclical, Linear, NoAnnealing, Sigmoid, Training
from pipeline_lib.training.schedules import cyclical, linear, sigmoid, weight

MIDPOINT, STEEPNESS = 2_500, 0.0025


def test_the_linear_weight_rises_to_one_and_stays():
    assert [linear(step, 10_000) for step in (0, 2_500, 10_000, 90_000)] == [0, 0.25, 1, 1]


def test_the_sigmoid_is_one_half_at_its_midpoint_and_a_quarter_of_its_steepness_is_its_slope_there():
    assert sigmoid(MIDPOINT, MIDPOINT, STEEPNESS) == 0.5
    slope = (sigmoid(MIDPOINT + 1, MIDPOINT, STEEPNESS) - sigmoid(MIDPOINT - 1, MIDPOINT, STEEPNESS)) / 2
    assert slope == pytest.approx(STEEPNESS / 4, rel=1e-6)


def test_the_sigmoid_is_the_logistic_function_and_overflows_nowhere():
    for step in (0, 1_000, 4_000, 20_000):
        assert sigmoid(step, MIDPOINT, STEEPNESS) == pytest.approx(
            1 / (1 + math.exp(-STEEPNESS * (step - MIDPOINT))), rel=1e-9
        )
    assert sigmoid(0, 1e6, 1.0) == 0.0
    assert sigmoid(10**9, 0, 1.0) == 1.0


def test_the_cyclical_weight_rises_over_half_of_each_of_four_cycles():
    found = [cyclical(step, 400, 4, 0.5) for step in range(400)]
    assert found[:100] == found[100:200] == found[200:300] == found[300:]
    assert found[:50] == pytest.approx([step / 50 for step in range(50)])
    assert found[50:100] == [1.0] * 50


def test_the_settings_choose_the_shape():
    shapes = [Linear(kind="linear", steps=20), Sigmoid(kind="sigmoid", midpoint=5, steepness=0.5)]
    shapes += [Cyclical(kind="cyclical", cycles=2, rising=1.0), NoAnnealing(kind="none")]
    expected = [linear(7, 20), sigmoid(7, 5, 0.5), cyclical(7, 40, 2, 1.0), 1.0]
    assert [weight(shape, 7, 40) for shape in shapes] == expected
    for shape in shapes:
        again = Training.model_validate_json(Training(annealing=shape).model_dump_json())
        assert again.annealing == shape
