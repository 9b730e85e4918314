"""The contexts that human judges see, with every system's response to them, blinded.

The contexts depend on the split and the seed alone, so another set of systems is judged on the same ones. Systems are
told apart by ids, in an order that differs from item to item; only the draw itself, the key, links them back.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationError, model_validator

from pipeline_lib.config.ratings import Questions, Study
from pipeline_lib.config.settings import Settings
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import metadata_of, read_parquet, read_text
from pipeline_lib.schemas.responses import ORACLE, RESPONSES

Apart = Literal["apart-random", "apart-seen"]  # those of `schemas.responses.APART`
_COLUMNS = ["example_id", "sample", "selection", "context", "response"]
_LETTERS = "bcdfghjklmnpqrstvwxz"  # ids of digits become other numbers in a spreadsheet (12e45), vowels make words


class Response(Settings):
    """One answer to a context; ``id`` is unique within its item."""

    id: str
    system: str
    text: str


class Item(Settings):
    """A context and the responses to it, in the order in which they are shown."""

    id: str
    example_id: int
    context: str
    responses: list[Response]
    history: list[str] = Field(default=[])  # training utterances of the one who responds


class Draw(Questions):
    """The items that the raters of one corpus see, with what they are asked, and the key to them."""

    corpus: str
    split: str
    run: int  # seed of the runs whose responses are shown
    # system -> why it competes with no other
    apart: dict[str, Apart] = Field(default={})
    items: list[Item] = Field(min_length=1)

    @model_validator(mode="after")
    def _tells_all_apart(self) -> "Draw":
        if len(self.by_id) < len(self.items):
            raise ValueError("two items have one id")
        for item in self.items:
            if len({response.id for response in item.responses}) < len(item.responses):
                raise ValueError(f"two responses to item {item.id} have one id")
            if not item.responses or sorted(response.system for response in item.responses) != self.systems:
                raise ValueError(f"item {item.id} lacks a response of some system, or has two")
        if len(set(self.systems)) < len(self.systems):
            raise ValueError("a system answers an item twice")
        return self

    @cached_property
    def sheet(self) -> str:
        """Name the sheet by the corpus and a fingerprint of all that a rater sees."""
        shown = self.model_dump(
            include={"corpus", "scale", "aspects", "items"} | ({"scales"} if self.scales else set())
        )
        for item in shown["items"]:
            del item["example_id"]
            if not item["history"]:
                del item["history"]
            for response in item["responses"]:
                del response["system"]
        return f"{self.corpus}-{_letters(json.dumps(shown, sort_keys=True), key='sheet')}"

    @cached_property
    def by_id(self) -> dict[str, Item]:
        return {item.id: item for item in self.items}

    @property
    def has_history(self) -> bool:
        """Tell whether raters see what the ones who respond said before."""
        return any(item.history for item in self.items)

    @property
    def systems(self) -> list[str]:
        return sorted(response.system for response in self.items[0].responses)


def draw(
    corpus: str,
    responses: Mapping[str, Path],
    run: int,
    study: Study,
    questions: Questions,
    histories: Mapping[int, list[str]] | None = None,
) -> Draw:
    """Draw distinct contexts and shuffle the systems' responses to each.

    A context that the split has several times is shown once, with the responses to its first example; of several
    responses that a system gave, the first is shown; a group chosen by the reference (oracle) is never shown.

    Args:
        responses: system -> RESPONSES of one split.
        run: seed of the runs that the files are of.
        histories: utterances that are shown beside each example; None: none are.
    Raises:
        PipelineError: no responses, or systems that answered different examples.
    """
    if not responses:
        raise PipelineError(
            "no system is judged",
            where="systems of the table of kind `ratings`",
            expected="at least one system besides the random response",
            remedy="name systems, or add some to the run",
        )
    tables = {system: read_parquet(file, RESPONSES, _COLUMNS) for system, file in responses.items()}
    answers = {system: _answers(table) for system, table in tables.items()}
    first = next(iter(answers))
    for system, given in answers.items():
        if given.keys() != answers[first].keys() or not given:
            raise PipelineError(
                f"{system} answers {len(given)} examples, {first} {len(answers[first])}; they are not the same",
                where=responses[system],
                expected="responses of every judged system to the same contexts, at least one",
                remedy="generate the responses again from one split",
            )
    example_of: dict[str, int] = {}
    for example, (context, _) in sorted(answers[first].items()):
        example_of.setdefault(context, example)
    contexts = list(example_of)
    chosen = np.random.default_rng(study.seed).permutation(len(contexts))[: study.contexts]
    if len(chosen) < study.contexts:
        print(f"{corpus}: {study.split} has {len(chosen)} different contexts, all are taken", file=sys.stderr)
    blind = _Blinding(study.seed, corpus)
    items = []
    for context in (contexts[i] for i in chosen):
        example = example_of[context]
        item = blind.item(example, context, {system: given[example][1] for system, given in answers.items()})
        items.append(item.model_copy(update={"history": (histories or {}).get(example, [])}))
    asked = {name: getattr(questions, name) for name in Questions.model_fields}
    marks = {system: metadata_of(table).get("apart") for system, table in tables.items()}
    apart = {system: cast(Apart, mark) for system, mark in marks.items() if mark}
    return Draw(corpus=corpus, split=study.split, run=run, apart=apart, items=items, **asked)


def read_draw(path: Path) -> Draw:
    """Read a key.

    Raises:
        PipelineError: the file is not a key of a rating sheet.
    """
    try:
        return Draw.model_validate_json(read_text(path))
    except (ValidationError, UnicodeDecodeError) as error:
        problem = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            problem = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise PipelineError(
            f"not a key of a rating sheet: {problem}",
            where=path,
            expected="a file that draw_rating_items wrote, such as results/ratings/keys/<corpus>.json",
            remedy="delete the file, or copy the right one over it",
        ) from error


class _Blinding:
    """Ids by a keyed hash; responses are in the order of their ids, which differs in every item."""

    def __init__(self, seed: int, corpus: str) -> None:
        self._key = f"{seed} {corpus}"

    def item(self, example_id: int, context: str, texts: Mapping[str, str]) -> Item:
        responses = [
            Response(id=_letters(f"{example_id} {system}", self._key), system=system, text=text)
            for system, text in texts.items()
        ]
        responses.sort(key=lambda response: response.id)
        return Item(
            id=_letters(str(example_id), self._key), example_id=example_id, context=context, responses=responses
        )


def _letters(text: str, key: str) -> str:
    """Return eight letters, one of 2.6e10 words."""
    digest = hashlib.blake2b(text.encode(), key=hashlib.sha256(key.encode()).digest()).digest()
    number, letters = int.from_bytes(digest), ""
    for _ in range(8):
        number, letter = divmod(number, len(_LETTERS))
        letters += _LETTERS[letter]
    return letters


def _answers(table: pa.Table) -> dict[int, tuple[str, str]]:
    """Return the context and response of each example id."""
    table = table.filter(pc.and_(pc.not_equal(table["selection"], ORACLE), pc.equal(table["sample"], 0)))
    texts = zip(table["context"].to_pylist(), table["response"].to_pylist(), strict=True)
    return dict(zip(table["example_id"].to_pylist(), texts, strict=True))
