"""Analysis `adaptation`: new users of the corpus `personas`, of whom a trained system fits the vector alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.measures import Measure, standard_error, table_of
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.analyses.users import user_table
from pipeline_lib.config.settings import Distinct, Positive, Seed, Settings
from pipeline_lib.corpora.newcomers import Newcomers, Told
from pipeline_lib.corpora.persona_language import language
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.measures import SYSTEM
from pipeline_lib.text.turns import joined_turns

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pipeline_lib.examples.batch import Batch
    from pipeline_lib.models.system import System
    from pipeline_lib.text.units import Units

OPTIMUM = "Bayes optimum"
_RATE = 0.05  # of Adam, in the unit of the known users' spread


class Options(Settings):
    """New users, the exchanges that each vector is fitted to, and those that it is measured on."""

    users: Positive = Field(default=12, description="new users")
    examples: Annotated[list[Annotated[int, Field(ge=0)]], Distinct] = Field(
        default=[0, 1, 2, 5, 10, 20], min_length=1, description="numbers of exchanges that are fitted"
    )
    measured: Positive = Field(default=20, description="further exchanges of each user, whose likelihood is measured")
    updates: Positive = Field(default=60, description="updates of the vectors")
    draws: Positive = Field(default=4, description="draws of z for an update; five times as many for a measurement")
    seed: Seed = Field(default=1, description="seed of the users and of what they say")


def needs(options: Options) -> Needs:
    return Needs("measures", fields=frozenset({"user"}))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return `MEASURES`: mean log p(response | context, exchanges so far), nats, with k exchanges of each new user.

    The vector of a user starts from the mean of the known users' and has their spread as its prior. The other row is
    the mean of what is exactly known of the same responses by the same exchanges.

    Raises:
        PipelineError: the system has no vectors of users, or was trained on another corpus.
    """
    from pipeline_lib.text.units import read_units

    table, units = user_table(model), read_units(data.vocabulary)
    check_words(units, data.vocabulary)
    known = table.weight.detach()[1 : 1 + known_users(data)]
    newcomers = Newcomers(options.users, options.seed)
    most = max(options.examples)
    told = [[newcomers.tell(user) for _ in range(most + options.measured)] for user in range(options.users)]
    asked = [each[most:] for each in told]
    rows = []
    for k in options.examples:
        vectors = _fitted(model, table, known, units, [each[:k] for each in told], options, seed)
        own = _measured(model, table, units, asked, vectors, options, seed)
        exact = np.array(
            [[newcomers.log_p(each[:k], one) for one in wanted] for each, wanted in zip(told, asked, strict=True)]
        )
        rows += [_row(SYSTEM, k, own.reshape(exact.shape)), _row(OPTIMUM, k, exact)]
    return table_of(rows)


def known_users(data: Data) -> int:
    """Count the users whose vectors were trained; the table may have room for more."""
    return int(pc.max(read_parquet(data.reads["user"], columns=["user"])["user"]).as_py())


def check_words(units: "Units", vocabulary: Path) -> None:
    """Check that a system knows the words of the new users.

    Raises:
        PipelineError: names the first marker of style that it does not know.
    """
    markers = list(language().marker)
    ids = units.encode(pa.array([" ".join(markers)])).ids
    if units.ids.unknown in ids:
        lacking = markers[ids.tolist().index(units.ids.unknown)]
        raise PipelineError(
            f"the corpus does not know {lacking!r}, a word of the generated users",
            where=vocabulary,
            expected="the corpus `personas`, whose users have known styles",
            remedy="leave out tables and figures of an analysis of kind `adaptation` for other corpora",
        )


def _row(name: str, k: int, nats: NDArray[np.float64]) -> Measure:
    """Describe (users, exchanges) log-likelihoods; the error is over users, who are what is drawn."""
    return Measure(name, f"k = {k}", float(nats.mean()), standard_error(nats.mean(1)), len(nats))


def _fitted(
    model: "System",
    table: "nn.Embedding",
    known: "Tensor",
    units: "Units",
    told: list[list[Told]],
    options: Options,
    seed: int,
) -> "Tensor":
    """Fit a vector to the exchanges of each user, (users, U): the mode of the posterior, by draws of z.

    Args:
        known: (known users, U) their vectors, whose mean and spread are the prior.
    """
    import torch

    from pipeline_lib.compute.device import seeded

    mean, spread = known.mean(0), known.std(0)
    away = torch.zeros(len(told), len(mean), device=mean.device, requires_grad=bool(told[0]))
    if not told[0]:
        return mean + away * spread
    batch = _batch(told, units).to(mean.device)
    optimiser = torch.optim.Adam([away], _RATE)
    model.eval()
    for update in range(options.updates):
        with _users_are(table, mean + away * spread):
            nll = model.importance_nll(batch, seeded(mean.device, seed, 6, update), options.draws)
        assert nll is not None  # every system with users has a likelihood
        loss = nll.sum() + 0.5 * away.square().sum()
        [away.grad] = torch.autograd.grad(loss, [away])
        optimiser.step()
    return (mean + away * spread).detach()


def _measured(
    model: "System",
    table: "nn.Embedding",
    units: "Units",
    asked: list[list[Told]],
    vectors: "Tensor",
    options: Options,
    seed: int,
) -> NDArray[np.float64]:
    import torch

    from pipeline_lib.compute.device import seeded

    batch = _batch(asked, units).to(vectors.device)
    model.eval()
    with torch.no_grad(), _users_are(table, vectors):
        nll = model.importance_nll(batch, seeded(vectors.device, seed, 7), 5 * options.draws)
    assert nll is not None
    return -nll.double().cpu().numpy()


class _users_are:  # noqa: N801 -- used as a context manager
    """Has a table look up other vectors, (users, U), by 0-based numbers; with gradient."""

    def __init__(self, table: "nn.Embedding", vectors: "Tensor") -> None:
        self._table, self._vectors = table, vectors

    def __enter__(self) -> None:
        self._table.forward = self._looked_up  # type: ignore[method-assign]

    def _looked_up(self, input: "Tensor") -> "Tensor":
        return self._vectors[input]

    def __exit__(self, *error: object) -> None:
        del self._table.forward  # the class's own again


def _batch(told: list[list[Told]], units: "Units") -> "Batch":
    """Encode the exchanges of each user, user by user."""
    import torch

    from pipeline_lib.examples.dataset import ExampleDataset

    every = [one for each in told for one in each]
    context = units.encode(pa.array([joined_turns([one.own, one.other]) for one in every]))
    response = units.encode(pa.array([one.response for one in every]))
    user = np.repeat(np.arange(len(told)), len(told[0]))
    beside = {"user": user, "floors": np.tile(np.array([1, 0]), (len(every), 1))}
    batch = ExampleDataset(context, response, beside, units.ids).batch(np.arange(len(every)))
    assert isinstance(batch.user, torch.Tensor)
    return batch
