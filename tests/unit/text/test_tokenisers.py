"""Tokens: of every tokeniser idempotent; the English ones as GloVe knows them, close to NLTK's Treebank rules, fast."""

import gzip
import json
import time
import unicodedata
import zipfile

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline_lib.config.corpora import Source
from pipeline_lib.errors import PipelineError
from pipeline_lib.text.tokenisers import tokeniser
from pipeline_lib.text.tokenisers.english import tokenise, tokenise_array

TREEBANK_LIKE = st.text(alphabet="abdlmnorstuv.,:'’\"?!- 05$…\u200b\n", max_size=40)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't you know?", "do n't you know ?"),
        ("I’m sure she'd've come.", "i 'm sure she 'd 've come ."),
        ("I ’ m sure he didn ’ t , it ’ s late .", "i 'm sure he did n't , it 's late ."),
        ("at six o ’ clock", "at six o'clock"),
        ("It's 1,000,000 at 10:30 a.m., Mr. Smith.", "it 's 1,000,000 at 10:30 a.m. , mr. smith ."),
        ("Wait... what--now?!", "wait ... what -- now ? !"),
        ("“Hello,” he said. 'Yes.'", "\" hello , \" he said . ' yes . '"),
        ("That's it.But why", "that 's it . but why"),
        ("pi is 3.14, see yahoo.com.", "pi is 3.14 , see yahoo.com ."),
        ("rock'n'roll, ma'am", "rock'n'roll , ma'am"),
        ("  \t ", ""),
        ("\u200b \x00", ""),
        ("a \u200b b", "a b"),
        ("ÉCOLE déjà", "école déjà"),
    ],
)
def test_text_becomes_the_tokens_that_glove_knows(text: str, tokens: str) -> None:
    assert tokenise_array(pa.array([text])).to_pylist() == [tokens]
    assert tokenise(text) == tokens.split()


NAMES = ["english", "spaces", "characters"]


@pytest.mark.parametrize("name", NAMES)
@given(st.one_of(TREEBANK_LIKE, st.text(max_size=30)))
@example("an ' t ' s ' s 'd'ye n't")
@example("x'. '.' ''' ..' 1,2,3:4:5")
@settings(max_examples=200, deadline=None)
def test_tokenising_tokens_again_changes_nothing(name: str, text: str) -> None:
    tokenise_array = tokeniser(name).tokenise_array
    once = tokenise_array(pa.array([text]))
    assert tokenise_array(once).equals(once)
    joined = once[0].as_py()
    assert joined == " ".join(joined.split())


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(st.one_of(st.none(), TREEBANK_LIKE), max_size=6), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_a_line_does_not_depend_on_its_neighbours(name: str, texts: list[str | None], start: int) -> None:
    tokenise_array = tokeniser(name).tokenise_array
    array = pa.array(texts, pa.string())
    expected = [tokenise_array(pa.array([text or ""]))[0].as_py() for text in texts]
    assert tokenise_array(array).to_pylist() == expected
    assert tokenise_array(array.slice(start)).to_pylist() == expected[start:]
    assert tokenise_array(pa.chunked_array([array, array])).to_pylist() == expected * 2
    assert len(tokenise_array(pa.chunked_array([], pa.string()))) == 0


def test_a_tokeniser_is_a_module_and_another_name_is_an_error_that_gives_the_nearest() -> None:
    named = Source.model_json_schema()["properties"]["tokeniser"]["enum"]
    assert sorted(named) == sorted(NAMES)
    assert [tokeniser(name).LANGUAGE for name in NAMES] == ["english", None, None]
    with pytest.raises(PipelineError, match="no module 'charcters'") as caught:
        tokeniser("charcters")
    assert caught.value.expected == "did you mean 'characters'?"


@given(st.text(alphabet="ab<unk>N. \t\n\u3000\xa0\u200b", max_size=30))
def test_spaces_leaves_every_word_as_given(text: str) -> None:
    assert tokeniser("spaces").tokenise_array(pa.array([text]))[0].as_py().split(" ") == (text.split() or [""])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("你好吗？", "你 好 吗 ？"),
        ("我用iPhone12 Pro看NBA,", "我 用 iphone12 pro 看 nba ,"),
        ("我 拿 小 拳 拳 捶 你", "我 拿 小 拳 拳 捶 你"),
        ("caf\u00e9 cafe\u0301 \u200b", "caf\u00e9 cafe\u0301"),
        ("\u3000", ""),
    ],
)
def test_characters_stand_alone_and_latin_words_stay_whole(text: str, tokens: str) -> None:
    assert tokeniser("characters").tokenise_array(pa.array([text])).to_pylist() == [tokens]


@given(st.text(max_size=30))
def test_characters_lose_nothing_but_case_spaces_and_what_cannot_be_seen(text: str) -> None:
    found = tokeniser("characters").tokenise_array(pa.array([text]))[0].as_py()
    visible = "".join(c for c in "".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cf"))
    assert found.replace(" ", "") == "".join(pc.utf8_lower(pa.array([visible]))[0].as_py().split())


def test_posts_with_a_space_between_characters_are_the_tokens_of_the_same_posts_without(real_data) -> None:
    with gzip.open(real_data("zh_weibo_lccc_sample/toy_data.json.gz"), "rt", encoding="utf-8") as file:
        posts = [post for dialogue in json.load(file)["train"] for post in dialogue]
    plain = [
        post for post in posts if not any("a" <= c.lower() <= "z" or unicodedata.category(c)[0] in "NMC" for c in post)
    ]
    assert len(plain) > 1_000
    characters = tokeniser("characters").tokenise_array
    assert characters(pa.array(plain)).equals(characters(pa.array([post.replace(" ", "") for post in plain])))


def test_it_agrees_with_nltk_on_ordinary_sentences() -> None:
    from nltk.tokenize import TreebankWordTokenizer

    sentences = [
        "Well, I haven't seen Tom's brother since Monday; have you?",
        "The tickets cost $25 (about 20% more), didn't they?",
        "We'll meet at 10:30, won't we?",
        "They've sold 1,250 copies: that's a record!",
        "You're right, he'd never say so.",
        "Ms. Jones lives on the well-known street by the river.",
    ]
    reference = TreebankWordTokenizer()
    assert [tokenise(s) for s in sentences] == [[t.lower() for t in reference.tokenize(s)] for s in sentences]


def _utterances(archive) -> list[str]:
    with zipfile.ZipFile(archive) as file:
        name = next(n for n in file.namelist() if n.endswith("dialogues_train.txt"))
        lines = file.read(name).decode("utf-8").splitlines()
    return [turn.strip() for line in lines for turn in line.split("__eou__") if turn.strip()]


def test_on_dailydialog_it_agrees_with_nltk_and_is_fast_and_idempotent(real_data) -> None:
    from nltk.tokenize import TreebankWordTokenizer

    texts = _utterances(real_data("dailydialog/train.zip"))
    array = pa.array(texts)
    tokenise_array(array)
    start = time.process_time()
    tokens = tokenise_array(array)
    rate = len(texts) / (time.process_time() - start)
    assert tokenise_array(tokens).equals(tokens)

    ordinary = [i for i, text in enumerate(texts) if text.isascii() and "'" not in text and '"' not in text][:3000]
    reference = TreebankWordTokenizer()
    same = sum(tokens[i].as_py().split() == [t.lower() for t in reference.tokenize(texts[i])] for i in ordinary)
    assert same / len(ordinary) > 0.95
    assert rate > 100_000  # 400,000 lines/s on an idle core; a shared one is given room
