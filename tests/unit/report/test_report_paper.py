"""The report on paper, printed by a real browser and read from the PDF; on screen, the hint to scroll sideways."""

import unicodedata
from dataclasses import replace

import pytest

from pipeline_lib.files.formats import write_text
from pipeline_lib.report.page import write_page
from pipeline_lib.tables.cells import Block, Cell, Column, Row, Section, Table
from pipeline_lib.tables.published import PublishedValue
from unit.report.pdf_text import Pdf
from unit.report.report_fixtures import save, small_run

COLUMNS, ROWS = 20, 130
DRAWN = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 150">'
    '<text x="9" y="60" font-family="DejaVu Sans">drawn at last</text></svg>'
)


def value(row: int, column: int) -> float:
    return 1000 * (row + 1) + column


def wide_and_long() -> Table:
    """Rows and columns beyond any window, of two corpora, each cell with a number of its own."""
    columns = [Column(f"measure {i}", 0) for i in range(COLUMNS)]
    rows = [
        Row(
            f"c{i % 2}",
            f"Corpus {'AB'[i * 2 // ROWS]}",
            f"System {i}",
            {c.name: Cell(value(i, j), published=PublishedValue(7.0, "7")) for j, c in enumerate(columns)},
            f"system{i}",
        )
        for i in range(ROWS)
    ]
    return Table("wide", "scores", None, "Wide and long", columns=columns, rows=rows)


def texts(name: str, columns: int) -> Table:
    """More lines than a page; twelve columns are wider than the page on any screen, three than a small window."""
    lines = [
        [f"line {i}", *(f"text {i} of {j}, too long for a narrow column" for j in range(columns))] for i in range(60)
    ]
    section = Section("Embedded", [Block("Block", lines)])
    return Table(name, "texts", None, "Texts", sections=[section], is_prose=True)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    contents = small_run(folder)
    own = [
        save(table, folder / f"tables/{table.name}.json")
        for table in (wide_and_long(), texts("twelve", 12), texts("three", 3))
    ]
    write_text(folder / "figures/embedded/latent_map.svg", DRAWN)
    write_page(replace(contents, tables=[*contents.tables, *own]), folder / "report/index.html")
    return folder / "report/index.html"


@pytest.fixture
def page(browser, index):
    page = browser.new_page(viewport={"width": 1400, "height": 800})
    page.goto(index.as_uri())
    page.wait_for_selector("[data-table=wide] .tabulator-row")
    yield page
    page.close()


@pytest.fixture(scope="module")
def printed(browser, index):
    page = browser.new_page(viewport={"width": 1400, "height": 800})
    page.goto(index.as_uri())
    page.wait_for_selector("[data-table=wide] .tabulator-row")
    yield Pdf(page.pdf(prefer_css_page_size=True))
    page.close()


def words(pdf: Pdf) -> str:
    """Its text without line breaks and ligatures."""
    return " ".join(unicodedata.normalize("NFKC", pdf.text).split())


def test_every_cell_of_a_wide_and_long_table_is_printed(printed):
    text = words(printed)
    numbers = {f"{value(i, j):,.0f}" for i in range(ROWS) for j in range(COLUMNS)}
    assert numbers <= set(text.split())
    assert all(f"measure {j}" in text for j in range(COLUMNS))
    assert all(f"System {i} " in text for i in range(ROWS))
    assert "Corpus A" in text
    assert "Corpus B" in text


def test_every_text_of_a_wide_and_long_table_of_texts_is_printed(printed):
    text = words(printed)
    assert [i for i in range(60) for j in range(12) if f"text {i} of {j}" not in text] == []
    assert all(f"line {i}" in text for i in range(60))


def test_the_pages_are_landscape(printed):
    assert len(printed.sizes) == len(printed.texts) > 5
    assert all(width > height for width, height in printed.sizes)


def test_a_figure_far_below_the_window_is_printed(printed, page):
    assert "drawn at last" in words(printed)
    page.wait_for_function("() => [...document.images].every((one) => one.complete && one.naturalWidth)")


def test_what_is_folded_on_the_page_is_printed_and_that_responses_are_not_is_said(printed):
    text = words(printed)
    assert "BLEU-1|level:sentence|v:1" in text  # a signature
    assert "Signatures of the metrics" in text
    assert "learning_rate" in text  # of the configuration
    assert "responses can be searched on the page itself and are not printed" in text
    assert "Loading the responses" not in text
    assert "scroll the table" not in text


def test_the_rows_are_printed_in_the_order_of_the_screen_which_is_as_before_afterwards(page):
    header = page.locator('[data-table="table3"] .tabulator-col:has-text("BLEU-1")')
    header.click()
    before = page.inner_text('[data-table="table3"]')
    text = Pdf(page.pdf(prefer_css_page_size=True)).text
    shown = page.locator('[data-table="table3"] .tabulator-row .tabulator-cell:first-child').all_inner_texts()
    table = text[text.index("Table 3.") :]
    names = [name.split(" ‡")[0] for name in shown]
    assert sorted(names, key=table.index) == names
    assert page.locator(".printed, details[open]").count() == page.locator("#versions details[open]").count()
    assert page.inner_text('[data-table="table3"]') == before


def test_a_table_that_scrolls_sideways_says_so_for_as_long_as_it_does(page):
    hints = {name: page.locator(f"#{name} .scroll-hint") for name in ("wide", "twelve", "three", "table3")}
    assert {name: hint.is_visible() for name, hint in hints.items()} == {
        "wide": True,
        "twelve": True,
        "three": False,
        "table3": False,
    }
    page.set_viewport_size({"width": 700, "height": 800})
    hints["three"].wait_for(state="visible")
    page.set_viewport_size({"width": 1400, "height": 800})
    hints["three"].wait_for(state="hidden")
