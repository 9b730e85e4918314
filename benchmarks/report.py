"""The report's explorer in a headless Chromium, on made-up responses: 10,000 and 50,000 contexts, nine systems."""

import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import REPOSITORY, head, row
from playwright.sync_api import Page, sync_playwright

from pipeline_lib.config.loading import read_run
from pipeline_lib.config.run import Config
from pipeline_lib.files.formats import write_json, write_parquet
from pipeline_lib.report.page import Contents, write_page
from pipeline_lib.runs.manifest import describe
from pipeline_lib.schemas.responses import RESPONSES

SYSTEMS = 9
METRICS = ("length", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "Average", "Greedy", "Extrema", "coherence")
WORDS = np.array([f"{a}{b}{c}" for a in "bdgklmnprst" for b in "aeiou" for c in ("", "n", "r", "st", "ll", "ng")])
REPEAT = 5  # every action is taken so often; the median counts

# Runs `action` and gives milliseconds until it returned, and until the browser had drawn what it changed.
TIMED = """async (action) => {
  const start = performance.now();
  await eval(action);
  const returned = performance.now();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [returned - start, performance.now() - start];
}"""
ACTIONS = {
    "search, a letter": "type('a')",
    "search, a word": "type('stang')",
    "search, nothing any more": "type('')",
    "sort by a metric": "set('order', 'a desc')",
    "sort by the lead over another": "set('order', 'lead asc')",
    "another metric": "set('metric', 'coherence')",
    "contexts with several references": "(form.several.checked = !form.several.checked, fire())",
}


def texts(n: int, draw: np.random.Generator) -> pa.Array:
    """Sentences of 3 to 16 words, a third of them said before, as by systems that repeat themselves."""
    lengths = draw.integers(3, 17, n)
    words = WORDS[draw.zipf(1.3, lengths.sum()) % len(WORDS)]
    said = np.array([" ".join(part) for part in np.split(words, np.cumsum(lengths)[:-1])], dtype=object)
    again = draw.random(n) < 1 / 3
    said[again] = said[draw.integers(0, max(1, n // 100), again.sum())]
    return pa.array(said, pa.string())


def items(folder: Path, config: Config, n: int) -> list[Path]:
    draw = np.random.default_rng(1)
    context, reference = texts(n, draw), texts(n, draw)
    files = []
    for system in list(config.systems)[:SYSTEMS]:
        columns = {
            "example_id": pa.array(range(n)),
            "sample": pa.array(np.zeros(n), pa.int16()),
            "selection": pa.array(["none"] * n),
            "context": context,
            "reference": reference,
            "response": texts(n, draw),
            "group": pa.array(draw.integers(0, 8, n), pa.int16()),
            "tokens": pa.array(draw.integers(3, 17, n), pa.int32()),
            **{name: pa.array(draw.gamma(2, 10, n), pa.float32()) for name in ("nll", "kl", "bound", "nll_importance")},
        }
        table = pa.table({field.name: columns.get(field.name, pa.nulls(n, field.type)) for field in RESPONSES})
        for metric in METRICS:
            table = table.append_column(metric, pa.array(draw.random(n)))
        file = folder / f"items/embedded/{system}/seed1/test.parquet"
        about = {"corpus": "embedded", "split": "test", "system": system, "seed": "1"}
        write_parquet(file, table, table.schema, about)
        files.append(file)
    return files


def make(folder: Path, n: int) -> float:
    """Write a report of ``n`` contexts; gives the seconds that it took."""
    config = read_run(REPOSITORY, {"paper": "sepacvae", "preset": "small"})
    write_json(folder / "manifest.json", describe(config, {}, [], []))
    files = items(folder, config, n)
    start = time.perf_counter()
    write_page(Contents(folder / "manifest.json", [], [], files), folder / "report/index.html")
    return time.perf_counter() - start


def opened(page: Page, address: str) -> float:
    """Seconds from opening the address to the explorer being ready for input."""
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_function("() => window.Report && Report.explorer && Report.explorer.items")
    page.wait_for_selector("#items-grid .tabulator-row")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return time.perf_counter() - start


def measure(page: Page, address: str) -> dict[str, str]:
    values = {"open to ready for input": f"{opened(page, address):.2f} s"}
    page.evaluate(
        """() => {
          window.form = document.getElementById("items-controls").elements;
          window.fire = () => document.getElementById("items-controls").dispatchEvent(new Event("input"));
          window.set = (name, value) => { form[name].value = value; fire(); };
          window.type = (text) => set("query", text);
          set("against", [...form.against.options].at(-2).value);
        }"""
    )
    for name, action in ACTIONS.items():
        times = np.median([page.evaluate(TIMED, action) for _ in range(REPEAT)], axis=0)
        values[name] = f"{times[0]:.0f} ms, drawn after {times[1]:.0f} ms"
        page.wait_for_timeout(100)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    values["memory of the page's scripts"] = f"{page.evaluate('performance.memory.usedJSHeapSize') / 2**20:.0f} MiB"
    return values


def main() -> None:
    program = os.environ.get("WORKBENCH_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium: install the package `chromium`, or set WORKBENCH_CHROMIUM to the program")
    sizes, columns = (10_000, 50_000), []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as temporary:
        options = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        for n in sizes:
            folder = Path(temporary, str(n))
            seconds = make(folder, n)
            script = next((folder / "report/files/items").iterdir())
            page = browser.new_page()
            values = measure(page, (folder / "report/index.html").as_uri() + "#items?split=test")
            made = {"make the page": f"{seconds:.1f} s", "size": f"{script.stat().st_size / 1e6:.0f} MB"}
            columns.append(made | values)
            page.close()
        browser.close()
    head("", *(f"{n:,} × {SYSTEMS}" for n in sizes))
    for name in columns[0]:
        row(name, *(column[name] for column in columns))


if __name__ == "__main__":
    main()
