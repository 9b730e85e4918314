"""The report in a real browser: opened from disk, read, sorted, searched, and led into from a table's value."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.report.page import write_page
from unit.report.report_fixtures import HOSTILE, LABELS, N, responses, small_run

# each control to one of its values, rows and headers clicked, the list scrolled, most of it before anything is drawn
RAPID_CHANGES = """async () => {
  let seed = 7;
  const below = (size) => (seed = (seed * 16807) % 2147483647) % size;
  const list = document.querySelector("#items-grid .tabulator-tableholder");
  for (let i = 0; i < 150; i++) {
    const name = ["split", "system", "against", "metric", "order", "group"][below(6)];
    const select = document.querySelector(`[name=${name}]`);
    select.selectedIndex = below(select.options.length);
    select.dispatchEvent(new Event("input", { bubbles: true }));
    if (below(3) === 0) list.scrollTop = below(list.scrollHeight);
    const clicked = document.querySelectorAll("#items-grid .sorts, #items-grid .tabulator-row");
    if (clicked.length) clicked[below(clicked.length)].click();
    if (below(4) === 0) await new Promise((resolve) => setTimeout(resolve, below(40)));
  }
}"""


class Reader:
    """A person at the page, with what the browser reported meanwhile."""

    def __init__(self, context, index: Path) -> None:
        self.page, self.address = context.new_page(), index.as_uri()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, hash: str = "") -> "Reader":
        self.page.goto("about:blank")
        self.page.goto(self.address + hash)
        self.page.wait_for_selector('[data-table="table3"] .tabulator-row')
        return self

    def explore(self, **choices: str) -> "Reader":
        from urllib.parse import urlencode

        self.open("#items?" + urlencode(choices))
        self.page.wait_for_selector("#items-grid .tabulator-row, #items-grid .tabulator-placeholder")
        self.page.wait_for_selector("#item .answers .tabulator-row")
        return self

    def titles(self, root: str) -> list[str]:
        return [text.strip() for text in self.page.locator(f"{root} .tabulator-col-title").all_inner_texts()]

    def column(self, root: str, title: str) -> list[str]:
        """Texts of a column of the rows that are drawn."""
        titles = self.titles(root)
        place = next(i for i, text in enumerate(titles) if text.startswith(title))
        rows = self.page.locator(f"{root} .tabulator-tableholder .tabulator-row").all()
        return [row.locator(".tabulator-cell").nth(place).inner_text().strip() for row in rows]

    def summary(self) -> str:
        return self.page.inner_text("#items-summary")


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_page(small_run(folder), folder / "report/index.html")
    return folder / "report/index.html"


@pytest.fixture
def reader(browser, index):
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    yield Reader(context, index)
    context.close()


def test_the_page_opens_from_disk_without_complaint_and_asks_nothing_of_a_network(reader, index):
    reader.explore(split="test", system="seq2seq/none")
    assert reader.complaints == []
    assert {url.split(":")[0] for url in reader.requests} <= {"file", "data", "about"}
    inside = [url for url in reader.requests if url.startswith("file:")]
    assert all(url.startswith(index.parent.as_uri()) for url in inside)


def test_texts_that_look_like_markup_are_shown_as_texts(reader):
    reader.explore(split="test", system="seq2seq/none", example="100")
    assert HOSTILE in reader.column("#item .answers", "Response")
    assert reader.column("#items-grid", "Seq2Seq")[0] == HOSTILE
    assert LABELS["sepacvae"] in reader.column('[data-table="table3"]', "System")[2]
    assert "<b>of all" in reader.page.inner_text("#table3 .notes")
    reader.page.select_option("[name=against]", "sepacvae/context")
    reader.page.wait_for_timeout(200)
    assert LABELS["sepacvae"] in reader.page.locator("#items-grid .tabulator-col-title").all_inner_texts()
    reader.page.locator('[data-table="table3"] .tabulator-row a').last.hover()
    assert LABELS["sepacvae"] in reader.page.inner_text(".tabulator-tooltip")
    assert reader.page.locator(".tabulator b:has-text('CVAE'), .tabulator-tooltip b").count() == 0
    reader.page.click("#configuration summary >> text=sources")
    assert reader.page.evaluate("window.ran") is None


def test_the_values_that_the_page_holds_are_those_of_the_files(reader):
    reader.explore(split="validation", system="sepacvae/oracle")
    for system, selection in (("seq2seq", "none"), ("sepacvae", "oracle"), ("sepacvae", "context")):
        expected = responses(system, selection)
        answer = f"Report.explorer.items.answers.get('{system}/{selection}')"
        held = reader.page.evaluate(f"[...{answer}.metric('BLEU-2')]")
        np.testing.assert_allclose(held, expected["BLEU-2"].to_numpy(), rtol=1e-6)
        held = reader.page.evaluate(f"[...{answer}.metric('ppl')]")
        np.testing.assert_allclose(held, np.exp(expected["nll"].to_numpy().astype(float) / 4), rtol=1e-6)
        texts = reader.page.evaluate(f"[...{answer}.responses()[0]].map((i) => Report.explorer.items.texts[i])")
        assert texts == expected["response"].to_pylist()


def test_a_search_leaves_the_contexts_that_hold_the_words(reader):
    reader.explore(split="test", system="seq2seq/none")
    columns = {"context": ["context"], "reference": ["reference"], "response": ["response"]}
    columns["anywhere"] = ["context", "reference", "response"]
    tables = [responses(system, "context" if system == "sepacvae" else "none") for system in LABELS]
    for scope, names in columns.items():
        for query in ("hello", "train no", "answer 1", "naïve", "nowhere to be found"):
            reader.page.select_option("[name=scope]", scope)
            reader.page.fill("[name=query]", query)
            hits = np.zeros(N, dtype=bool)
            for table in tables:
                for name in names:
                    hits |= [query in text for text in table[name].to_pylist()]
            assert reader.summary().startswith(f"{hits.sum()} of {N} contexts"), (scope, query)


def test_filters_of_group_label_and_several_references_leave_what_they_say(reader):
    reader.explore(split="test", system="sepacvae/context")
    reader.page.select_option("[name=group]", "2")
    assert reader.summary().startswith(f"{N // 4} of ")
    reader.page.select_option("[name=label]", "6")
    assert reader.summary().startswith(f"{sum(i % 4 == 2 and i % 8 == 6 for i in range(N))} of ")
    reader.page.select_option("[name=label]", "")
    reader.page.check("[name=several]")
    assert reader.summary().startswith(f"{sum(i % 4 == 2 and i % 5 == 0 for i in range(N))} of ")


def test_all_references_of_a_context_are_shown_with_how_often_they_occur(reader):
    reader.explore(split="test", system="seq2seq/none", example="105")
    shown = reader.page.locator("#item .references li").all_inner_texts()
    assert sorted(shown) == [f"answer {i} ×{N // 15}" for i in range(3)]
    assert reader.page.inner_text("#item .references .own") == f"answer 2 ×{N // 15}"
    assert "Group" in reader.titles("#item .answers")


def test_sentences_without_contexts_are_shown_alone(browser, tmp_path):
    write_page(small_run(tmp_path, alone=True), tmp_path / "report/index.html")
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    reader = Reader(context, tmp_path / "report/index.html").explore(split="test", system="seq2seq/none", example="107")
    assert reader.summary().startswith(f"{N} of {N} sentences.")
    assert reader.titles("#items-grid")[:2] == ["Sentence", "Seq2Seq"]
    assert reader.page.inner_text("#item .texts").split("\n") == ["Sentence example 107, label 7", "", "answer 1"]
    assert not reader.page.is_visible("[name=several]")
    assert "Group" not in reader.titles("#item .answers")
    assert reader.complaints == []
    context.close()


def test_the_explorer_sorts_by_a_metric_and_by_the_lead_over_another_system(reader):
    ours, other = (responses(*of)["BLEU-1"].to_numpy() for of in (("sepacvae", "context"), ("seq2seq", "none")))
    orders = {
        "a asc": np.sort(ours),
        "a desc": -np.sort(-ours),
        "lead desc": ours[np.argsort(-(ours - other), kind="stable")],
    }
    reader.explore(split="test", system="sepacvae/context", against="seq2seq/none", metric="BLEU-1")
    for order, expected in orders.items():
        reader.page.select_option("[name=order]", order)
        reader.page.wait_for_timeout(200)
        shown = [float(text) for text in reader.column("#items-grid", "BLEU-1")]
        assert len(shown) >= 10
        np.testing.assert_allclose(shown, expected[: len(shown)], atol=5.1e-4)


def test_a_click_on_a_columns_title_sorts_the_explorer(reader):
    reader.explore(split="test", system="seq2seq/none", metric="BLEU-1")
    reader.page.click("#items-grid .tabulator-col.sorts")
    reader.page.wait_for_timeout(200)
    shown = [float(text) for text in reader.column("#items-grid", "BLEU-1")]
    assert shown == sorted(shown, reverse=True)
    assert "best first" in reader.page.eval_on_selector("[name=order]", "(one) => one.selectedOptions[0].text")


def test_more_contexts_come_as_one_scrolls(reader):
    reader.explore(split="test", system="seq2seq/none")
    before = reader.page.evaluate("Report.explorer.grid.getRows().length")
    reader.page.evaluate("document.querySelector('#items-grid .tabulator-tableholder').scrollTop = 1e6")
    reader.page.wait_for_function(f"() => Report.explorer.grid.getRows().length > {before}")


def test_arrow_keys_go_from_context_to_context(reader):
    reader.explore(split="test", system="seq2seq/none", example="100")
    reader.page.focus("#items-grid")
    reader.page.keyboard.press("ArrowDown")
    reader.page.keyboard.press("ArrowDown")
    assert "example 102" in reader.page.inner_text("#item h3")
    assert "example=102" in reader.page.url


def test_a_value_of_a_table_leads_to_the_items_behind_it(reader):
    reader.open()
    link = reader.page.locator('[data-table="table3"] .tabulator-row:has-text("Seq2Seq") a').first
    value = re.match(r"[\d.]+", link.inner_text())[0]
    link.click()  # before the explorer was ever in sight: what it would open by itself must not win
    reader.page.wait_for_function("() => document.querySelector('[name=metric]').value === 'BLEU-1'")
    reader.page.wait_for_timeout(200)
    chosen = {name: reader.page.input_value(f"[name={name}]") for name in ("split", "system", "metric")}
    assert chosen == {"split": "test", "system": "seq2seq/none", "metric": "BLEU-1"}
    assert f"Mean BLEU-1 of these: Seq2Seq {value}" in reader.summary()
    shown = [float(text) for text in reader.column("#items-grid", "BLEU-1")]
    assert shown == sorted(shown)  # worst first


def test_a_table_sorts_by_the_keyboard_and_by_the_published_or_the_difference(reader):
    reader.open()
    root = '[data-table="table2"]'
    header = reader.page.locator(f'{root} .tabulator-col[tulip-x], {root} .tabulator-col:has-text("BLEU-1")').first
    header.focus()
    reader.page.keyboard.press("Enter")
    shown = [float(re.match(r"[\d.]+", text)[0]) for text in reader.column(root, "BLEU-1")]
    assert shown == sorted(shown)
    reader.page.keyboard.press("Enter")
    shown = [float(re.match(r"[\d.]+", text)[0]) for text in reader.column(root, "BLEU-1")]
    assert shown == sorted(shown, reverse=True)


def test_a_cell_shows_spread_published_value_difference_and_marks(reader):
    reader.open()
    mean = float(np.mean(responses("seq2seq", "none")["BLEU-1"].to_numpy()))
    cell = reader.page.locator('[data-table="table3"] .tabulator-row:has-text("Seq2Seq") a').first
    words = cell.inner_text().split()
    sign = "+" if mean > 0.4 else "−"
    assert words == [f"{mean:.3f}", "±0.010", "†", "0.400", f"{sign}{abs(mean - 0.4):.3f}"] or words == [
        f"{mean:.3f}±0.010†",
        "0.400",
        f"{sign}{abs(mean - 0.4):.3f}",
    ]
    assert cell.locator("b").inner_text() == f"{mean:.3f}"
    assert "‡1" in reader.page.inner_text('[data-table="table3"] .tabulator-row:has-text("CVAE")')


def test_a_published_bound_is_shown_as_it_is_printed(reader):
    reader.open()
    assert reader.column('[data-table="table3"]', "ppl")[1].split() == ["31.3", ">600"]


def test_rapid_changes_of_the_explorer_end_in_the_last_of_them_without_complaint(reader):
    reader.explore(split="test", system="seq2seq/none", metric="BLEU-1")
    reader.page.evaluate(RAPID_CHANGES)
    reader.page.select_option("[name=split]", "validation")
    reader.page.select_option("[name=system]", "sepacvae/oracle")
    reader.page.select_option("[name=against]", "")
    reader.page.select_option("[name=metric]", "BLEU-2")
    reader.page.select_option("[name=group]", "")
    reader.page.select_option("[name=order]", "a desc")
    expected = np.sort(responses("sepacvae", "oracle")["BLEU-2"].to_numpy())[::-1]
    reader.page.wait_for_function(
        "(best) => document.querySelector('#items-grid .tabulator-row:first-child')?.innerText.includes(best)",
        arg=f"{expected[0]:.3f}",
    )
    shown = [float(text) for text in reader.column("#items-grid", "BLEU-2")]
    np.testing.assert_allclose(shown, expected[: len(shown)], atol=5.1e-4)
    assert reader.complaints == []


def test_a_folder_without_its_items_says_what_to_do(reader, index, browser, tmp_path):
    import shutil

    shutil.copytree(index.parent, tmp_path / "copied")
    shutil.rmtree(tmp_path / "copied/files/items")
    context = browser.new_context()
    alone = Reader(context, tmp_path / "copied/index.html").open("#items?split=test")
    alone.page.wait_for_function("() => document.getElementById('items-summary').textContent.includes('whole folder')")
    context.close()


@pytest.mark.parametrize("width", [400, 2000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window_stays_where_it_is_and_can_be_read(browser, index, tmp_path, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    reader = Reader(context, index).open()
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    shift = """new Promise((done) => new PerformanceObserver((list) =>
      done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))
    ).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 300))"""
    assert reader.page.evaluate(shift) < 0.05
    for selector in ("main", ".notes", ".facts dt", ".side a"):
        assert contrast(reader.page, selector) >= 4.5, selector  # WCAG 2, level AA
    picture = tmp_path / "page.png"
    reader.page.screenshot(path=picture)
    assert picture.stat().st_size > 20_000
    context.close()


def contrast(page, selector: str) -> float:
    """Ratio of the luminances of an element's text and of the page's ground, by WCAG 2."""
    colours = page.evaluate(
        "(selector) => [getComputedStyle(document.querySelector(selector)).color,"
        " getComputedStyle(document.body).backgroundColor]",
        selector,
    )
    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else math.pow((c + 0.055) / 1.055, 2.4) for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
