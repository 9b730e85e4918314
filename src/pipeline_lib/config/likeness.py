"""Systems that start from another system's entry."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline_lib.config.checking import merge
from pipeline_lib.errors import PipelineError, did_you_mean

Entries = Mapping[str, Any]  # systems as YAML has them, by name
_LONGEST = 32  # entries of a chain


def resolved(systems: Entries, paper: str, entries_of: Callable[[str, str], Entries]) -> dict[str, Any]:
    """Return the entries with ``like:`` replaced by what it names, section within section.

    Args:
        systems: those of ``paper``.
        entries_of: another paper's name, and the setting that names it -> its systems.
    Raises:
        PipelineError: a name that does not exist, or entries that are like each other in a circle.
    """

    def entry(of: str, name: str, seen: tuple[str, ...]) -> Any:
        label = name if of == paper else f"{of}/{name}"
        if label in seen or len(seen) > _LONGEST:
            shown = " → ".join([*seen, label] if label in seen else [*seen[:3], "…"])
            raise PipelineError(
                f"systems are like each other {'in a circle' if label in seen else 'in too long a chain'}: {shown}",
                where=f"systems.{seen[0]}.like",
                expected="a chain that ends with a system without `like:`",
                remedy="remove `like:` from one of them",
            )
        known = systems if of == paper else entries_of(of, f"systems.{seen[-1]}.like")
        if name not in known:
            raise PipelineError(
                f"no system {name!r}" + ("" if of == paper else f" in paper {of!r}"),
                where=f"systems.{seen[-1]}.like" if seen else "systems",
                expected=did_you_mean(name, list(known)),
                remedy="correct the name",
            )
        own = known[name]
        if not isinstance(own, dict) or not isinstance(own.get("like"), str):
            return own
        other, _, base = own["like"].rpartition("/")
        inherited = entry(other or of, base, (*seen, label))
        own = {key: value for key, value in own.items() if key != "like"}
        return merge(inherited, own) if isinstance(inherited, dict) else own

    return {name: entry(paper, name, ()) for name in systems}
