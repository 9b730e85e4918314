"""Places of faults: the file, and the key in it, that a user wrote."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pipeline_lib.errors import PipelineError

Place = Callable[..., str]  # gives the place to name, from the paths of the keys that a fault is about
Where = str | Place


def key_path(*paths: Sequence[str]) -> str:
    """Name a fault by its key alone."""
    return ".".join(paths[0])


def below(place: Place, *above: str) -> Place:
    """Return a place for the paths of keys within a section."""
    return lambda *paths: place(*([*above, *path] for path in paths or [()]))


@contextmanager
def naming(place: Place, *keys: str) -> Iterator[None]:
    """Name key and file in an error about the value of a key."""
    try:
        yield
    except PipelineError as error:
        raise PipelineError(
            f"{'.'.join(keys)}: {error.problem}", where=place(keys), expected=error.expected, remedy=error.remedy
        ) from error
