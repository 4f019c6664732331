"""The script for GPU machines runs here too, on the CPU."""

import sys

import pytest
from chain import run
from project_params import REPO

pytestmark = pytest.mark.slow


def rows_of(printed):
    """The cells of every table row after its title."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("| ")]


def test_the_script_times_many_clips_on_a_cpu():
    printed = run(REPO, sys.executable, "-m", "benchmarks.gpu", "corpus", "--device", "cpu", "--clips", "24")
    names = [row[0] for row in rows_of(printed)]
    assert names == ["24 clips of 4 s, tiny WavLM", "manifest", "features wavlm --role emotion", "pretrain_audio"]


def test_its_check_finds_no_difference_between_a_cpu_and_itself():
    """It ends with an error if the second run on the device has other bytes, or features lie apart."""
    title, *rows = rows_of(run(REPO, sys.executable, "-m", "benchmarks.gpu", "check", "--device", "cpu"))
    assert title[0] == "on both devices"
    features = [f"data/features/{kind}/{role}" for kind in ("wavlm", "mel", "frames") for role in ("emotion", "affect")]
    stages = [f"data/models/{name}/history.csv, first loss" for name in ("pretrain_audio", "pretrain_video", "fusion")]
    folds = [f"data/models/va/fold_{k}/history.csv, first loss" for k in range(1, 6)]
    assert {*features, *stages, *folds} <= {row[0] for row in rows}
    assert all(float(row[1]) == 0.0 for row in rows)
