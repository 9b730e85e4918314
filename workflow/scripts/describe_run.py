"""Record what a run is: configuration, code, versions and checksums of its data."""

import json
from pathlib import Path

from pipeline_lib.cli import run
from pipeline_lib.config.run import Config
from pipeline_lib.report.manifest import describe
from pipeline_lib.storage import write_text


def main(config: Config, code: str, raw: list[Path], pairs: list[Path], out: Path) -> None:
    record = describe(config, json.loads(code), raw, pairs)
    write_text(out, json.dumps(record, indent=2, ensure_ascii=False) + "\n")  # in the configuration's own order


if __name__ == "__main__":
    run(main)
