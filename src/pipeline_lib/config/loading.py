"""From YAML to a checked configuration."""

from pathlib import Path
from typing import Any

import yaml

from pipeline_lib.config.checking import check_plain, validated
from pipeline_lib.config.run import Config
from pipeline_lib.errors import PipelineError


def load(values: dict[str, Any], where: str = "config.yaml") -> Config:
    """Check a configuration as read from YAML.

    Raises:
        PipelineError: names the first offending key, what was found and the nearest known key.
    """
    check_plain(values, where)
    config = validated(Config, values, where)
    for corpus in config.corpora:  # overrides are checked now, not when a job of theirs starts
        config.for_corpus(corpus)
        for system in [*config.systems, *config.ablations]:
            config.network_of(corpus, system)
            config.training_of(corpus, system)
    return config.with_sweep()


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; an empty file is an empty one.

    Raises:
        PipelineError: the file is missing or not YAML, repeats a key, or holds something other than a mapping.
    """
    try:
        values = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    # besides its own errors the parser lets out whatever a malformed date, number or tag, or deep nesting, raises
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise PipelineError(
            f"not readable as YAML: {getattr(error, 'problem', None) or error}",
            where=f"{path}:{mark.line + 1}" if mark else path,
            expected="a YAML file of sections and keys",
            remedy="correct the file; config.yaml is an example",
        ) from error
    if not isinstance(values, dict | None):
        raise PipelineError(
            f"holds a {type(values).__name__}",
            where=path,
            expected="sections and keys, such as `seeds: [1, 2]`",
            remedy="correct the file; config.yaml is an example",
        )
    return values or {}


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which by itself takes the last of repeated keys and says nothing."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # composed, the keys are as the file has them; once constructed, those that `<<` brings count as repeated too
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if first := lines.get((key.tag, key.value)):
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} stands twice, first in line {first}", problem_mark=key.start_mark
                )
            lines[key.tag, key.value] = key.start_mark.line + 1
        return node
