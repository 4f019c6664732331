"""The script for GPU machines runs here too, on the CPU; its part `check` takes minutes and is run by hand."""

import sys

import pytest
from chain import run
from project_params import REPO

pytestmark = pytest.mark.slow


def test_the_script_times_many_clips_on_a_cpu():
    printed = run(REPO, sys.executable, "-m", "benchmarks.gpu", "corpus", "--device", "cpu", "--clips", "24")
    rows = [line.split("|")[1].strip() for line in printed.splitlines() if line.startswith("| ")]
    assert rows == ["24 clips of 4 s, tiny WavLM", "manifest", "features wavlm --role emotion", "pretrain_audio"]
