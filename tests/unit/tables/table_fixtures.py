"""Systems and published values that the tests of tables share."""

from pathlib import Path

from pipeline_lib.config.systems import SystemSettings
from pipeline_lib.tables.published import Published

# of the SepaCVAE paper, as it prints them
PUBLISHED = Path(__file__).parents[3] / "src/pipeline_lib/published/published.csv"


def trained(label: str, **options: object) -> SystemSettings:
    """A system with several seeds."""
    return SystemSettings(label=label, model="m:M", options=options)


def baseline(label: str, name: str = "random") -> SystemSettings:
    """A reference row, which competes with nobody."""
    return SystemSettings(label=label, model=f"baseline:{name}")


def published() -> Published:
    return Published.read(PUBLISHED)
