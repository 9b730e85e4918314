"""The graph of keywords as a network reads it."""

from pathlib import Path

import torch

from pipeline_lib.errors import REMAKE, PipelineError
from pipeline_lib.examples.batch import Graph
from pipeline_lib.files.formats import read_parquet
from pipeline_lib.schemas.contrasts import GRAPH_LISTS


def read_graph(path: Path) -> Graph:
    """Read a graph of keywords for a network.

    Raises:
        PipelineError: the file is damaged, or no graph of keywords.
    """
    table = read_parquet(path)
    expected = [*GRAPH_LISTS, "vector"]
    if missing := [name for name in expected if name not in table.column_names]:
        raise PipelineError(
            f"no column {missing[0]!r}",
            where=path,
            expected=f"a graph of keywords, with {', '.join(expected)}",
            remedy=REMAKE,
        )
    lists = {name: table[name].combine_chunks() for name in expected}
    arrays = {
        name: values.flatten().to_numpy().reshape(len(table), values.type.list_size) for name, values in lists.items()
    }
    vectors = torch.from_numpy(arrays.pop("vector").copy())
    return Graph(vectors=vectors, **{name: torch.from_numpy(values.copy()) for name, values in arrays.items()})
