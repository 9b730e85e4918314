"""Record what a run is: configuration, code, versions and checksums of its data."""

import json
from pathlib import Path

from pipeline_lib.config.run import Config
from pipeline_lib.files.formats import write_text
from pipeline_lib.runs.manifest import describe
from pipeline_lib.stage.cli import run


def main(config: Config, code: str, raw: list[Path], examples: list[Path], out: Path) -> None:
    record = describe(config, json.loads(code), raw, examples)
    write_text(out, json.dumps(record, indent=2, ensure_ascii=False) + "\n")  # in the configuration's own order


if __name__ == "__main__":
    run(main)
