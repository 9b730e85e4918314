"""Masks of dropout and of hidden words: processes that share a batch draw together what one draws alone."""

import pytest
import torch

from pipeline_lib.compute.sharing import Share, holding
from pipeline_lib.models.layers.dropping import dropout, keep_words
from unit.model_fixtures import generator

UNKNOWN = 1


@pytest.mark.parametrize(("examples", "number"), [(2, 2), (3, 2), (5, 2), (1, 2), (4, 3)])
def test_a_process_with_any_share_of_a_batch_has_its_rows_of_the_mask_of_one_process(examples, number):
    values, words = torch.ones(examples, 6, 5), torch.full((examples, 6), 9)
    mask, kept = dropout(values, 0.4, generator()), keep_words(words, 0.5, UNKNOWN, generator())
    assert 0 < int((kept == UNKNOWN).sum()) < kept.numel()
    for rank in range(number):
        share = Share.of(examples, rank, number)
        with holding(share):
            assert torch.equal(dropout(values[share.rows], 0.4, generator()), mask[share.rows])
            assert torch.equal(keep_words(words[share.rows], 0.5, UNKNOWN, generator()), kept[share.rows])


@pytest.mark.parametrize("examples", [2, 3])
def test_values_common_to_a_batch_have_the_mask_of_one_process_in_every_process(examples):
    values = torch.ones(1, 6, 5)
    mask = dropout(values, 0.4, generator(), common=True)
    assert torch.equal(mask, dropout(values, 0.4, generator()))
    for rank in range(2):
        with holding(Share.of(examples, rank, 2)):
            assert torch.equal(dropout(values, 0.4, generator(), common=True), mask)
