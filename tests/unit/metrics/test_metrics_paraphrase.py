"""What a paraphrase keeps and changes, on questions whose meaning a reader can tell."""

import pytest
from nltk.translate.bleu_score import corpus_bleu

from pipeline_lib.metrics.ibleu import IBleu
from pipeline_lib.metrics.items import Items
from pipeline_lib.metrics.paraphrase import FrameChanged, KeywordKept, MeaningKept
from pipeline_lib.metrics.self_bleu import SelfBleu

ASKED = "how do i bake the bread ?"
SAID = [  # response, meaning kept, keyword kept, frame changed
    ("what is the best way to bake the bread ?", 1, 1, 1),
    (ASKED, 1, 1, 0),
    ("how do i bake the soup ?", 0, 0, 0),
    ("how do i taste the bread ?", 0, 1, 0),
    ("is the bread better than the soup ?", 0, 1, 1),
    ("is the soup better than the bread ?", 0, 0, 1),
    ("bread the bake i do how ?", 0, 0, 0),
    ("", 0, 0, 0),
]


@pytest.mark.parametrize(("metric", "column"), [(MeaningKept, 1), (KeywordKept, 2), (FrameChanged, 3)])
def test_meaning_keyword_and_frame_of_a_paraphrase_are_told_as_a_reader_would(metric, column):
    items = Items.of([ASKED] * len(SAID), [ASKED] * len(SAID), [row[0] for row in SAID])
    assert metric()(items).per_item.tolist() == [row[column] for row in SAID]


def test_texts_of_another_language_have_no_meaning_that_could_be_kept():
    items = Items.of([ASKED, "hello there"], [ASKED, "hi"], [ASKED, "hi"])
    assert MeaningKept()(items).mean is None


TEXTS = [
    ("the cat sat on the mat today", "the cat was on a mat today", "the cat sat on a mat today"),
    ("why is the sky so blue now", "what makes the sky so blue", "why is the sky so very blue now"),
]


def test_self_bleu_is_corpus_bleu_against_the_contexts():
    contexts, references, responses = zip(*TEXTS, strict=True)
    items = Items.of(contexts, references, responses)
    expected = corpus_bleu([[text.split()] for text in contexts], [text.split() for text in responses])
    assert SelfBleu()(items).mean == pytest.approx(expected, abs=1e-12)
    copies = Items.of(contexts, references, contexts)
    assert SelfBleu()(copies).mean == 1


def test_ibleu_weighs_bleu_against_copying():
    contexts, references, responses = zip(*TEXTS, strict=True)
    likeness, copying = (
        corpus_bleu([[text.split()] for text in texts], [text.split() for text in responses])
        for texts in (references, contexts)
    )
    found = IBleu()(Items.of(contexts, references, responses)).mean
    assert found == pytest.approx(0.8 * likeness - 0.2 * copying, abs=1e-12)
