"""Analysis `users`: the vectors of a trained system's users."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_lib.analyses.data import Data
from pipeline_lib.analyses.needs import Needs
from pipeline_lib.config.settings import Settings
from pipeline_lib.corpora.persona_language import USERS, language
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.examples import EXAMPLES
from pipeline_lib.schemas.latents import latents_schema

if TYPE_CHECKING:
    from torch import nn

    from pipeline_lib.models.system import System


class Options(Settings):
    """Nothing may be chosen."""


def needs(options: Options) -> Needs:
    return Needs(None, fields=frozenset({"user"}))


def analyse(model: "System", data: Data, options: Options, seed: int) -> pa.Table:
    """Return a `latents_schema` table: a row for each known user, with the number as its id and the vector as its mean.

    Where the corpus is `personas`, the group is the true group of the user.

    Raises:
        PipelineError: the system has no vectors of users.
    """
    table = user_table(model)
    numbers = read_parquet(data.reads["user"], columns=["example_id", "user"])
    train = read_parquet(data.examples["train"], EXAMPLES, ["example_id", "response", "label"])
    known = train.join(numbers, "example_id", join_type="inner").group_by("user").aggregate([("label", "min")])
    known = known.filter(pc.greater(known["user"], 0)).sort_by("user")
    user = known["user"].to_numpy()
    vectors = table.weight.detach().cpu().numpy()[user]
    group = pa.nulls(len(user), pa.int16())
    if _is_of_personas(train):
        group = pa.array(language().groups[known["label_min"].to_numpy()], pa.int16())
    mean = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])
    columns = [pa.array(user), group, pa.nulls(len(user), pa.int32()), mean]
    return pa.table(columns, schema=latents_schema(vectors.shape[1]))


def user_table(model: "System") -> "nn.Embedding":
    """Return the vectors of a system's users, row 0 being that of the unknown ones.

    Raises:
        PipelineError: it has none.
    """
    users = getattr(model, "users", None)
    if users is None:
        raise PipelineError(
            f"{type(model).__name__} has no vectors of users here",
            where="systems of a table or figure of this analysis",
            expected="systems with `reads: {user: users/responding}`, in whose prior or decoder the user is read",
            remedy="remove the system from the list",
        )
    table: nn.Embedding = users.vectors
    return table


def _is_of_personas(train: pa.Table) -> bool:
    labels = train["label"]
    if labels.null_count or pc.max(labels).as_py() >= USERS or pc.min(labels).as_py() < 0:
        return False
    return all(language().parse(text) is not None for text in np.asarray(train["response"].slice(0, 20)))
