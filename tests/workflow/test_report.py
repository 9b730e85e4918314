"""The record of a run, the page that shows it, and Snakemake's own report."""

import json
import os
import subprocess

import pytest
from tiny_workflow import ABLATIONS, ROWS, SYSTEMS

NO_NETWORK = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https", "HTTP", "HTTPS")}
PARTS = {"report": {"tables": ["table1", "table2", "table3"], "figures": []}}  # the others have tests of their own


def test_a_record_of_the_run_lies_beside_every_table(finished):
    record = json.loads((finished.results / "manifest.json").read_text(encoding="utf-8"))
    assert list(record["config"]["systems"]) == [*SYSTEMS, *ABLATIONS, "truth"]
    assert (record["config"]["paper"], record["config"]["preset"]) == ("sepacvae", "small")
    assert list(record["config"]["sources"]) == ["embedded"]
    assert record["config"]["training"]["batch_size"] == 16
    assert set(record["data"]["embedded"]) == {
        f"filtered/embedded/{split}.parquet" for split in ("train", "validation", "test")
    }
    assert {"train_model", "train_model embedded/sepacvae", "make_score_table"} <= set(record["code"])
    assert record["revision"] is None  # a copy of the files alone
    assert str(finished.folder) not in json.dumps(record)


@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory):
    workflow = finished.copy(tmp_path_factory.mktemp("report") / "copy")
    done = workflow.run("results/report/index.html", changes=PARTS)
    assert done.returncode == 0, done.stdout
    return workflow


def test_the_report_is_made_of_the_finished_run_and_opens_without_a_network(reported, browser):
    again = reported.run("results/report/index.html", changes=PARTS)
    assert "Nothing to be done" in again.stdout
    page, heard = browser.new_page(), []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or heard.append(request.url))
    page.goto((reported.results / "report/index.html").as_uri() + "#items?split=test")
    page.wait_for_selector("#item .answers .tabulator-row")
    for table in ("table1", "table2", "table3"):
        assert page.locator(f"#{table} .tabulator-row").count() >= 1
    names = page.locator("#item .answers .tabulator-row").count()
    assert names == len(ROWS)
    assert heard == []
    page.close()


def test_a_changed_caption_remakes_its_table_and_the_report_and_nothing_else(reported):
    changes = PARTS | {"tables": {"table2": {"caption": "More."}}}
    jobs = {"make_score_table table2", "describe_run", "make_report"}
    assert reported.planned("results/report/index.html", changes=changes) == jobs


def test_snakemakes_own_report_is_made_and_read_without_a_network(finished, browser, tmp_path):
    report = tmp_path / "report.html"
    done = subprocess.run(
        finished.command("--report", str(report)),
        cwd=finished.folder,
        env=finished.environment() | NO_NETWORK,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    page, asked = browser.new_page(), []
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or asked.append(request.url))
    page.goto(report.as_uri())
    page.click("text=Results")
    page.wait_for_selector("text=Tables")
    results = page.evaluate("Object.values(results)")
    tables = [result for result in results if os.path.splitext(result["name"])[0] in ("table1", "table2", "table3")]
    assert {result["name"] for result in tables} == {
        f"table{i}.{kind}" for i in (1, 2, 3) for kind in ("csv", "md", "tex")
    }
    assert all(len(result["caption"]) > 100 for result in tables)
    assert asked == []
    page.close()
