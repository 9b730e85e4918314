"""All rows of a table of texts on the report page, in a real browser: found, narrowed down, sorted, and not printed."""

from dataclasses import replace

import pytest

from pipeline_lib.report.page import write_page
from pipeline_lib.report.records import MOST, write_records
from unit.report.report_fixtures import HOSTILE, save, small_run, table_of_texts

PATHS, POINTS, SEEDS = 60, 9, (1, 2)
RECORDS = [
    {
        "corpus": "embedded",
        "seed": seed,
        "path": path,
        "point": point,
        "t": point / (POINTS - 1),
        "text": HOSTILE if (seed, path, point) == (1, 1, 0) else f"seed {seed} path {path} point {point} .",
        "grammatical": (path + point) % 2 == 0,
        "nll_lm": float("nan") if path == 1 else path + point / 10,
        "nothing": None,
    }
    for seed in SEEDS
    for path in range(1, PATHS + 1)
    for point in range(POINTS)
]
ROOT = "details[data-records=table5]"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    run = small_run(folder)
    texts = save(replace(table_of_texts(), records=RECORDS), folder / "tables/table5.json")
    write_page(replace(run, tables=[*run.tables, texts]), folder / "report/index.html")
    return folder / "report/index.html"


@pytest.fixture
def page(browser, index):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(index.as_uri())
    page.click(f"{ROOT} summary")
    page.wait_for_selector(f"{ROOT} .tabulator-row")
    yield page
    assert page.complaints == []
    page.close()


def _column(page, title):
    titles = page.locator(f"{ROOT} .tabulator-col-title").all_inner_texts()
    place = titles.index(title)
    rows = page.locator(f"{ROOT} .tabulator-tableholder .tabulator-row").all()
    return [row.locator(".tabulator-cell").nth(place).inner_text() for row in rows]


def test_every_row_can_be_found_by_its_seed_and_path(page):
    assert page.inner_text(f"{ROOT} .shown") == f"{len(RECORDS):,} of {len(RECORDS):,} rows"
    page.select_option(f"{ROOT} select[aria-label='only seed']", "2")
    page.fill(f"{ROOT} input[aria-label='search path']", "57")
    page.wait_for_function(f"() => document.querySelector('{ROOT} .shown').textContent.startsWith('{POINTS} of')")
    assert _column(page, "text") == [f"seed 2 path 57 point {point} ." for point in range(POINTS)]
    assert _column(page, "t")[1] == "0.125"


def test_texts_are_searched_and_columns_sorted(page):
    page.fill(f"{ROOT} input[aria-label='search text']", "POINT 8")
    page.wait_for_function(
        f"() => document.querySelector('{ROOT} .shown').textContent.startsWith('{PATHS * len(SEEDS)} of')"
    )
    page.click(f"{ROOT} .tabulator-col:has-text('nll_lm') .tabulator-col-title")
    page.wait_for_timeout(200)
    page.click(f"{ROOT} .tabulator-col:has-text('nll_lm') .tabulator-col-title")
    page.wait_for_timeout(200)
    assert _column(page, "nll_lm")[:2] == ["60.800", "60.800"]


def test_a_number_is_found_as_it_is_shown(page):
    page.fill(f"{ROOT} input[aria-label='search nll_lm']", "60.8")
    page.wait_for_function(f"() => document.querySelector('{ROOT} .shown').textContent.startsWith('{len(SEEDS)} of')")
    assert _column(page, "nll_lm") == ["60.800"] * len(SEEDS)


def test_only_tables_of_texts_have_rows_to_unfold_and_no_more_than_a_page_can_hold(tmp_path):
    texts = replace(table_of_texts(), records=[{"n": number} for number in range(MOST + 1)])
    write_records([texts, replace(texts, name="costs", is_prose=False)], tmp_path)
    assert [path.name for path in tmp_path.glob("*.js")] == ["table5.js"]
    assert (tmp_path / "table5.js").read_text().count("[") == MOST + 2  # and the lists of names and rows


def test_texts_that_look_like_markup_are_shown_as_texts(page):
    assert _column(page, "text")[0] == HOSTILE
    assert page.evaluate("window.ran") is None


def test_columns_that_say_nothing_or_the_same_everywhere_are_left_out(page):
    titles = page.locator(f"{ROOT} .tabulator-col-title").all_inner_texts()
    assert titles == ["seed", "path", "point", "t", "text", "grammatical", "nll_lm"]


def test_rows_beside_a_page_that_was_copied_alone_say_what_to_do(browser, index, tmp_path):
    import shutil

    shutil.copytree(index.parent, tmp_path / "copied")
    shutil.rmtree(tmp_path / "copied/files/records")
    page = browser.new_page()
    page.goto((tmp_path / "copied/index.html").as_uri())
    page.click(f"{ROOT} summary")
    page.wait_for_function(f"() => document.querySelector('{ROOT} .shown').textContent.includes('whole folder')")
    page.close()


def test_paper_has_the_first_rows_alone(browser, index):
    page = browser.new_page()
    page.goto(index.as_uri())
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert not page.is_visible(ROOT)
    assert not page.evaluate(f"document.querySelector('{ROOT}').open")
    assert page.is_visible("#table5 .texts table")
    page.close()
