"""Values that are allowed and rarely meant: a run starts with a warning."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline_lib.config.places import Place
from pipeline_lib.config.run import Config

RATES = ("learning_rate", "given_learning_rate")
_ADAPTIVE = (1e-5, 0.1)
USUAL_RATES = {  # kind of optimiser: least, greatest
    "adam": _ADAPTIVE,
    "fused_adam": _ADAPTIVE,
    "rmsprop": _ADAPTIVE,
    "sgd": (1e-3, 5.0),
}


def unusual(config: Config, place: Place) -> Iterator[str]:
    """Yield a warning for every learning rate that is outside the usual range of its optimiser, one line each.

    Args:
        place: gives the file that holds a key.
    """
    common = config.training.optimiser.kind
    # keys of a section -> what it gives, and the kind of optimiser where it names none
    given: dict[tuple[str, ...], tuple[Mapping[str, Any], str]] = {
        ("training",): (config.training.model_dump(), common)
    }
    for corpus in config.corpora_used:
        own, kind = (
            config.sources[corpus].override.get("training", {}),
            config.for_corpus(corpus).training.optimiser.kind,
        )
        given["sources", corpus, "override", "training"] = own, kind
    for name, system in config.trainable.items():
        given["systems", name, "training"] = system.training, common
    seen = set()
    for above, (training, usual) in given.items():
        for below, optimiser in _optimisers(training):
            kind = optimiser.get("kind", usual)
            least, greatest = USUAL_RATES[kind]
            for key in RATES:
                rate = optimiser.get(key)
                if rate is not None and not least <= rate <= greatest and (key, rate, kind) not in seen:
                    seen.add((key, rate, kind))  # systems that are like others have their rates too
                    keys = (*above, *below, key)
                    yield (
                        f"Warning: {'.'.join(keys)}: {rate:g} ({place(keys)}); for {kind} it usually lies between "
                        f"{least:g} and {greatest:g}"
                    )


def _optimisers(training: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield the optimiser of a job and those of its phases, as far as the section gives them, each after its keys."""
    yield ("optimiser",), training.get("optimiser") or {}
    for phase, settings in training.get("phases", {}).items():
        yield ("phases", phase, "optimiser"), settings.get("optimiser") or {}
