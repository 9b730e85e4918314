"""The table of runtime and memory, from benchmark files whose means and ratios can be worked out by hand."""

import csv
import json
import re

import pytest

from pipeline_lib.config.layout import Layout, Stages
from pipeline_lib.config.papers import CostTable
from pipeline_lib.errors import PipelineError
from pipeline_lib.files.formats import write_json
from pipeline_lib.tables.costs import Job, make, read_benchmark
from pipeline_lib.tables.files import read_table, write_table
from pipeline_lib.tables.latex import latex
from pipeline_lib.tables.markdown import markdown
from unit.tables.table_fixtures import baseline, trained

SPEC = CostTable(kind="costs", title="Runtime and memory")
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"
LAYOUT = Layout(
    corpora={"dd": "Daily|Dialog"},
    systems={
        "random": baseline("Random_response"),
        "seq2seq": trained("Seq2Seq"),
        "sepacvae": trained("SepaCVAE"),
    },
    seeds=[1, 2],
)


def benchmark(path, seconds, memory, cpu):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}\n{seconds}\t0:00:01\t{memory}\t1\t1\t1\t0\t0\t90\t{cpu}\n")


def finished(folder, seconds, steps, speeds, gpu=None):
    history = [{"kind": "train", "step": i, "tokens_per_s": speed} for i, speed in enumerate(speeds)]
    history.append({"kind": "validation", "step": steps, "ppl": 2.0})
    values = {"parameters": 1000, "steps": steps, "seconds": seconds, "gpu_peak_bytes": gpu}
    values |= {"operations_per_token": 2e6, "matrix_peak": 5e7}
    write_json(folder / "summary.json", values)
    (folder / "history.jsonl").write_text("".join(json.dumps(record) + "\n" for record in history))


@pytest.fixture
def stages(tmp_path):
    run = f"{tmp_path}/{{stage}}/{{corpus}}/{{system}}/seed{{seed}}"
    for seed in (1, 2):
        finished(tmp_path / f"models/dd/seq2seq/seed{seed}", 10.0 * seed, 100, [5.0, 1.0, 3.0])
        finished(tmp_path / f"models/dd/sepacvae/seed{seed}", 60.0, 100, [1.0, 2.0])
        benchmark(tmp_path / f"training/dd/seq2seq/seed{seed}.tsv", 20 * seed, 100, 15)
        benchmark(tmp_path / f"training/dd/sepacvae/seed{seed}.tsv", 80, 250, 70)
        benchmark(tmp_path / f"test/dd/seq2seq/seed{seed}.tsv", 2, "NA", "NA")
        benchmark(tmp_path / f"test/dd/sepacvae/seed{seed}.tsv", 4, 300, 3)
    benchmark(tmp_path / "dialogues.tsv", 0.7, 64.5, 0.5)
    return Stages(
        shared={"dd": {"dialogues": f"{tmp_path}/dialogues.tsv", "examples": f"{tmp_path}/absent.tsv"}},
        trained={"dd": ["seq2seq", "sepacvae"]},
        of_systems={
            "training": run.replace("{stage}", "training") + ".tsv",
            "responses, test": run.replace("{stage}", "test") + ".tsv",
        },
        summary=run.replace("{stage}", "models") + "/summary.json",
        history=run.replace("{stage}", "models") + "/history.jsonl",
    )


def test_means_and_ratios_are_those_of_the_benchmark_files(stages, tmp_path):
    table = make("costs", SPEC, LAYOUT, stages)
    write_table(table, *(tmp_path / f"costs.{kind}" for kind in ("csv", "md", "tex", "json")))
    assert read_table(tmp_path / "costs.json") == table
    with open(tmp_path / "costs.csv", newline="") as file:
        rows = {(row["stage"], row["system"]): row for row in csv.DictReader(file)}
    base, other = rows["training", "seq2seq"], rows["training", "sepacvae"]
    assert float(base["seconds"]) == 30
    assert float(base["seconds sd"]) == pytest.approx(14.1421, rel=1e-5)
    assert float(base["step seconds"]) == pytest.approx(0.15)  # (10 + 20) / 2 s over 100 steps
    assert float(base["tokens/s"]) == 3  # the median
    assert float(base["share of matrix peak"]) == pytest.approx(3 * 2e6 / 5e7)
    assert (float(base["relative step"]), float(base["relative memory"])) == (1, 1)
    assert [float(other[f"relative {what}"]) for what in ("step", "memory")] == pytest.approx([4, 2.5])
    assert float(rows["dialogues", ""]["memory MiB"]) == 64.5
    assert ("training", "random") not in rows


def test_a_system_that_decodes_the_model_of_another_has_no_training_of_its_own(stages):
    text = markdown(make("costs", SPEC, LAYOUT, stages.model_copy(update={"trained": {"dd": ["seq2seq"]}})))
    training, later = text.split("### Responses and scores")
    assert "SepaCVAE" not in training
    assert "| SepaCVAE" in later


def test_what_was_not_measured_is_a_dash(stages):
    text = markdown(make("costs", SPEC, LAYOUT, stages))
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("|")}
    assert lines["examples"].count("–") == 3  # no benchmark file
    assert lines["Random\\_response"].count("–") == 2
    responses = text.split("### Responses and scores")[1]
    assert re.search(r"Seq2Seq +\| +2\.0±0\.0 \| +– \|", responses)  # sampled by nobody: NA


def test_memory_of_a_gpu_has_a_column_where_a_run_had_one(stages, tmp_path):
    assert "GPU, MiB" not in markdown(make("costs", SPEC, LAYOUT, stages))
    for seed in (1, 2):
        finished(tmp_path / f"models/dd/sepacvae/seed{seed}", 60.0, 100, [1.0], gpu=3 * 2**20)
    lines = markdown(make("costs", SPEC, LAYOUT, stages)).splitlines()
    assert next(line for line in lines if "GPU, MiB" in line)
    assert next(line for line in lines if line.startswith("| SepaCVAE")).rstrip(" |").endswith("3±0")


def test_latex_is_balanced_and_escaped(stages):
    text = latex(make("costs", SPEC, LAYOUT, stages))
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    assert r"Random\_response" in text
    assert r"Daily\textbar{}Dialog" in text
    for block in text.split(r"\begin{tabular}")[1:]:
        width = len(re.match(r"\{(\w+)\}", block)[1])
        lines = [line for line in block.split(r"\end{tabular}")[0].splitlines() if " & " in line]
        assert {line.count(" & ") + 1 for line in lines} == {width}


def test_an_absent_benchmark_file_is_no_error_and_a_broken_one_is(tmp_path):
    assert read_benchmark(tmp_path / "absent.tsv") == Job()
    for text in ("", "not\ta\nbenchmark\tfile\n", HEADER + "\nsoon\t\t\t\n"):
        (tmp_path / "broken.tsv").write_text(text)
        with pytest.raises(PipelineError) as error:
            read_benchmark(tmp_path / "broken.tsv")
        assert "broken.tsv" in error.value.where
        assert "max_rss" in error.value.expected
        assert error.value.remedy
