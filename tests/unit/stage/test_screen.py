"""Warnings of a job reach its log and the screen, whatever becomes of either."""

import os
from pathlib import Path

import pytest

from pipeline_lib.stage.screen import SCREEN, warn


def test_a_warning_reaches_the_log_and_the_screen_that_the_rule_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with (tmp_path / "screen").open("wb") as screen:
        monkeypatch.setenv(SCREEN, str(screen.fileno()))
        warn("half is lost")
    assert (tmp_path / "screen").read_text() == "Warning: half is lost\n"
    assert "Warning: half is lost" in caplog.text


@pytest.mark.parametrize("closed", [True, False])
def test_a_warning_without_a_screen_is_in_the_log_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, closed: bool
) -> None:
    monkeypatch.delenv(SCREEN, raising=False)
    if closed:
        reading, writing = os.pipe()
        os.close(reading)
        os.close(writing)
        monkeypatch.setenv(SCREEN, str(writing))
    warn("half is lost")
    assert "Warning: half is lost" in caplog.text
