"""The rating page in a real browser: opened from disk, rated by keyboard, exported, taken up again."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.ratings.filled import read_ratings
from pipeline_lib.ratings.sheets import write_sheets
from unit.ratings.rating_fixtures import small_draw

NO_STORAGE = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('forbidden'); } })"
HOSTILE = '</script><script>window.ran = 1</script><img src="https://example.org/x.png" onerror="window.ran = 1">'


RAPID_CLICKS = """(selector) => {
  for (let i = 0; i < 400; i++) {
    const all = document.querySelectorAll(selector);
    all[(i * 7919) % all.length].click();
  }
}"""


class Rater:
    """A person at the page, with what the browser reported meanwhile."""

    def __init__(self, context, file: Path) -> None:
        self.page, self.complaints, self.requests = context.new_page(), [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def type(self, keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def press(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)

    def begin(self, name: str) -> None:
        self.page.keyboard.type(name)
        self.press("Enter")

    def wait_for(self, condition: str) -> None:
        """Wait for an expression of JavaScript to hold; Playwright's own way calls `eval`, which the page forbids."""
        for _ in range(200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(condition)

    def shown(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def export(self, path: Path) -> Path:
        with self.page.expect_download() as download:
            self.press("Control+s")
        download.value.save_as(path)
        return path


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the page of a draw; one browser profile for each test."""
    contexts = []

    @contextmanager
    def open_page(drawn, init="", again=False, **how) -> Iterator[Rater]:
        write_sheets(tmp_path / drawn.corpus, drawn)
        if not (again and contexts):
            contexts.append(browser.new_context(**how))
        if init:
            contexts[-1].add_init_script(init)
        rater = Rater(contexts[-1], tmp_path / drawn.corpus / "sheet.html")
        yield rater
        assert rater.complaints == []
        assert all(url.startswith(("file:", "blob:")) for url in rater.requests)
        rater.page.close()

    yield open_page
    for context in contexts:
        context.close()


def values_of(drawn, file):
    ratings = read_ratings([file], [drawn])[drawn.corpus]
    return ratings.raters, ratings.values


def test_ranks_typed_in_the_page_reach_the_importer(opened, tmp_path):
    drawn = small_draw(tmp_path)
    with opened(drawn) as rater:
        rater.begin("Anna Ö.")
        rater.type("213" + "112")  # relevance of all three, then fluency of all three
        assert rater.shown("#count") == "1 of 4 rated"
        rater.press("Enter")
        assert rater.shown("#position") == "Context 2 of 4"
        rater.type("333" + "123")
        file = rater.export(tmp_path / "export.csv")
    raters, values = values_of(drawn, file)
    assert raters == ["Anna Ö."]
    for item, (relevance, fluency) in enumerate([((2, 1, 3), (1, 1, 2)), ((3, 3, 3), (1, 2, 3))]):
        for place, response in enumerate(drawn.items[item].responses):
            column = drawn.systems.index(response.system)
            assert values["relevance"][0, item, column] == relevance[place]
            assert values["fluency"][0, item, column] == fluency[place]


def test_a_rater_whose_name_begins_like_a_formula_is_a_text_to_a_spreadsheet_and_the_same_rater_again(opened, tmp_path):
    drawn, name = small_draw(tmp_path), '=HYPERLINK("https://example.org")'
    with opened(drawn) as rater:
        rater.begin(name)
        rater.type("213" + "112")
        file = rater.export(tmp_path / "export.csv")
    with open(file, encoding="utf-8-sig", newline="") as exported:
        assert {row["rater"] for row in csv.DictReader(exported)} == {"'" + name}
    assert values_of(drawn, file)[0] == [name]
    with opened(drawn) as rater:
        rater.page.set_input_files("#file", file)
        rater.page.wait_for_selector("#rating:not([hidden])")
        assert rater.shown("#leave") == name


def test_rapid_clicks_anywhere_on_the_page_are_no_error(opened, tmp_path):
    with opened(small_draw(tmp_path)) as rater:
        rater.begin("anna")
        rater.page.evaluate(RAPID_CLICKS, "#rating td, #rating button:not(#leave, #export)")
        assert rater.shown("#position").startswith("Context ")


def test_progress_is_still_there_after_the_page_was_closed(opened, tmp_path):
    drawn = small_draw(tmp_path)
    with opened(drawn) as rater:
        rater.begin("anna")
        rater.type("123" + "321")
        rater.press("Enter")
        rater.type("1")
        rater.page.reload()
        assert rater.shown("#kept") == "1 of 4 contexts rated under this name."
    with opened(drawn, again=True) as rater:
        assert rater.page.input_value("#rater") == "anna"
        rater.press("Enter")  # the focus is on Continue
        assert rater.shown("#position") == "Context 2 of 4"
        assert rater.page.locator("[aria-pressed=true]").count() == 1
        rater.press("PageUp")
        assert rater.page.locator("[aria-pressed=true]").all_inner_texts() == ["1", "3", "2", "2", "3", "1"]


def test_another_rater_or_another_sheet_starts_empty(opened, tmp_path):
    with opened(small_draw(tmp_path)) as rater:
        rater.begin("anna")
        rater.type("123123")
        rater.page.click("#leave")
        rater.page.fill("#rater", "bo")
        rater.press("Enter")
        assert rater.shown("#count") == "0 of 4 rated"
    with opened(small_draw(tmp_path, seed=2), again=True) as rater:
        rater.begin("anna")
        assert rater.shown("#count") == "0 of 4 rated"


@pytest.mark.parametrize("as_saved", [lambda text: text, lambda text: text.replace(",", ";")], ids=["page", "Excel"])
def test_an_exported_file_is_taken_up_in_another_browser(opened, tmp_path, as_saved):
    drawn = small_draw(tmp_path)
    with opened(drawn) as rater:
        rater.begin("anna")
        rater.type("213112")
        file = rater.export(tmp_path / "export.csv")
    file.write_text(as_saved(file.read_text(encoding="utf-8")), encoding="utf-8")
    with opened(drawn) as rater:
        assert rater.shown("#kept") == ""
        rater.page.set_input_files("#file", file)
        rater.page.wait_for_selector("#rating:not([hidden])")
        assert rater.shown("#leave") == "anna"
        assert rater.shown("#count") == "1 of 4 rated"
        again = rater.export(tmp_path / "again.csv")
    first, second = values_of(drawn, file)[1], values_of(drawn, again)[1]
    for aspect in first:
        np.testing.assert_array_equal(first[aspect], second[aspect])


def test_an_older_file_replaces_newer_answers_only_if_the_rater_says_so(opened, tmp_path):
    with opened(small_draw(tmp_path)) as rater:
        rater.begin("anna")
        older = rater.export(tmp_path / "older.csv")
        rater.type("213112")
        for answer, left in (("dismiss", 1), ("accept", 0)):
            rater.page.once("dialog", lambda dialog, answer=answer: getattr(dialog, answer)())
            rater.page.click("#leave")
            rater.page.set_input_files("#file", older)
            rater.wait_for("!document.getElementById('file').files.length")
            if rater.page.is_visible("#start"):
                rater.page.click("#go")
            rater.page.click("#leave")  # the start shows what the browser keeps now
            assert rater.shown("#kept") == ("1 of 4 contexts rated under this name." if left else "")
            rater.page.click("#go")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text, sheet: text.replace(sheet, "small-other"), "another sheet"),
        (lambda text, sheet: text.replace("response_id", "response"), "column response_id is missing"),
        (lambda text, sheet: text.replace(",2,1", ",9,1"), "9 is none of 1, 2, 3"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(opened, tmp_path, spoil, message):
    drawn = small_draw(tmp_path)
    with opened(drawn) as rater:
        rater.begin("anna")
        rater.type("222111")
        file = rater.export(tmp_path / "export.csv")
        file.write_text(spoil(file.read_text(encoding="utf-8"), drawn.sheet), encoding="utf-8")
        rater.page.click("#leave")
        rater.page.set_input_files("#file", file)
        rater.page.wait_for_selector("#alert:not([hidden])")
        assert message in rater.shown("#alert")
        assert rater.page.is_visible("#start")


def test_text_of_the_corpus_is_shown_and_never_run(opened, tmp_path):
    texts = {"human": [HOSTILE] * 4, "seq2seq": ["\u2028 <b>bold</b>"] * 4, "sepacvae": ["="] * 4}
    drawn = small_draw(tmp_path, texts=texts, aspects={"fluency": HOSTILE})
    with opened(drawn) as rater:
        rater.begin("<b>anna</b>")
        assert HOSTILE in rater.page.locator(".response .text").all_text_contents()
        assert rater.page.locator(".response b, .response img, header b").count() == 0
        assert rater.page.evaluate("window.ran") is None
        rater.type("123")
        file = rater.export(tmp_path / "export.csv")
    assert values_of(drawn, file)[0] == ["<b>anna</b>"]


def test_without_storage_the_page_says_so_and_still_exports(opened, tmp_path):
    drawn = small_draw(tmp_path)
    with opened(drawn, init=NO_STORAGE) as rater:
        rater.begin("anna")
        rater.type("123123")
        assert "does not keep your answers" in rater.shown("#alert")
        file = rater.export(tmp_path / "export.csv")
    assert values_of(drawn, file)[0] == ["anna"]


def test_keys_move_clear_and_find_the_next_empty_cell(opened, tmp_path):
    with opened(small_draw(tmp_path)) as rater:
        rater.begin("anna")

        def focused():
            return rater.page.evaluate("document.activeElement.getAttribute('aria-label')")

        assert focused() == "A, relevance: empty"
        rater.press("ArrowDown", "ArrowRight", "2")
        assert focused() == "C, fluency: empty"
        rater.press("ArrowUp")
        assert focused() == "B, fluency: 2"
        rater.press("Backspace")
        assert focused() == "B, fluency: empty"
        rater.press("9")  # no such place
        assert focused() == "B, fluency: empty"
        rater.press("Enter")
        assert focused() == "A, relevance: empty"
        rater.type("123123")
        assert "Complete" in rater.shown("#status")
        rater.press("PageDown", "PageDown", "Enter")
        assert rater.shown("#position") == "Context 3 of 4"  # not complete: Enter stays
        outline = rater.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"


def test_after_the_last_context_the_page_asks_for_the_export(opened, tmp_path):
    with opened(small_draw(tmp_path, 2)) as rater:
        rater.begin("anna")
        for _ in range(2):
            rater.type("123123")
            rater.press("Enter")
        assert "Export your answers" in rater.shown("#status")
        assert rater.page.get_attribute("#progress", "value") == "2"


def test_places_above_nine_are_typed_with_two_digits(opened, tmp_path):
    systems = tuple(f"s{i}" for i in range(12))
    drawn = small_draw(tmp_path, 1, systems, aspects={"fluency": "?"})
    with opened(drawn) as rater:
        rater.begin("anna")
        rater.type("12" + "11" + "10" + "98765432")
        rater.press("1")
        file = rater.export(tmp_path / "export.csv")
    _, values = values_of(drawn, file)
    typed = [values["fluency"][0, 0, drawn.systems.index(r.system)] for r in drawn.items[0].responses]
    assert typed == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("scale", "keys", "typed"),
    [({"kind": "score", "values": [1, 2, 3]}, "312", [3, 1, 2]), ({"kind": "yes_no"}, "yn1", [1, 0, 1])],
)
def test_other_scales_have_their_own_keys(opened, tmp_path, scale, keys, typed):
    drawn = small_draw(tmp_path, 1, aspects={"fluency": "?"}, scale=scale)
    with opened(drawn) as rater:
        rater.begin("anna")
        rater.type(keys)
        file = rater.export(tmp_path / "export.csv")
    _, values = values_of(drawn, file)
    assert [values["fluency"][0, 0, drawn.systems.index(r.system)] for r in drawn.items[0].responses] == typed


def test_each_aspect_has_the_keys_of_its_own_scale_and_the_history_is_shown(opened, tmp_path):
    scales = {"wit": {"kind": "yes_no"}}
    aspects = {"ease": "?", "wit": "?"}
    histories = {100: ["I like <b>tea</b>", "no way"]}
    drawn = small_draw(
        tmp_path, 1, aspects=aspects, scale={"kind": "score", "values": [1, 2, 3]}, scales=scales, histories=histories
    )
    with opened(drawn) as rater:
        rater.begin("anna")
        assert rater.shown("#history").split("\n") == ["I like <b>tea</b>", "no way"]
        rater.type("y2")  # yes is no value of the first aspect
        rater.type("13")
        rater.type("yn1")
        file = rater.export(tmp_path / "export.csv")
        assert "1–3, Y N" in rater.shown("#shortcuts")
    _, values = values_of(drawn, file)
    shown = [drawn.systems.index(response.system) for response in drawn.items[0].responses]
    assert values["ease"][0, 0, shown].tolist() == [2, 1, 3]
    assert values["wit"][0, 0, shown].tolist() == [1, 0, 1]
    with open(file, encoding="utf-8-sig", newline="") as exported:
        assert next(csv.DictReader(exported))["history"] == "I like <b>tea</b>\nno way"


def test_a_click_answers_and_a_second_one_takes_it_back(opened, tmp_path):
    with opened(small_draw(tmp_path)) as rater:
        rater.begin("anna")
        button = rater.page.locator("td button").nth(1)
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        button.click()
        assert button.get_attribute("aria-pressed") == "false"


CONTRASTS = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.checkVisibility() && !e.disabled && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => {
    let under = e;
    while (under && getComputedStyle(under).backgroundColor === "rgba(0, 0, 0, 0)") under = under.parentElement;
    const ink = getComputedStyle(e).color, paper = getComputedStyle(under ?? document.body).backgroundColor;
    return [e.outerHTML.slice(0, 80), ink.match(/\\d+/g).map(Number), paper.match(/\\d+/g).map(Number)];
  })"""


def luminance(colour):
    parts = [c / 255 for c in colour[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_aa_asks_for(opened, tmp_path, scheme):
    with opened(small_draw(tmp_path), color_scheme=scheme) as rater:
        found = rater.page.evaluate(CONTRASTS)
        rater.begin("anna")
        rater.type("123123")
        found += rater.page.evaluate(CONTRASTS)
    assert len(found) > 40
    for element, ink, paper in found:
        light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, element


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_wider_than_the_window_and_the_criteria_are_in_sight(opened, tmp_path, width):
    drawn = small_draw(tmp_path, texts={"human": ["w" * 300] * 4})
    with opened(drawn, viewport={"width": width, "height": 800}) as rater:
        for _ in range(2):
            assert rater.page.evaluate("document.documentElement.scrollWidth") <= width
            rater.begin("anna")
        criterion = rater.page.get_by_text("Does it fit?").filter(visible=True)
        assert criterion.count() == 1
