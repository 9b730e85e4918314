"""No change of the code's form may change a cell of a table (`python -m numerics.record` in tests/ records anew)."""

from numerics.recorded_tables import TABLES, check_recorded


def test_every_cell_of_the_tiny_runs_tables_is_the_recorded_one(checkout):
    copy = checkout()
    done = copy.run(*(f"results/tables/{table}.csv" for table in TABLES["sepacvae"]))
    assert done.returncode == 0, done.stdout
    check_recorded("sepacvae", copy.results)
