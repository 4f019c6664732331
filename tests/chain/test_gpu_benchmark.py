"""The script for GPU machines runs here too: on the CPU it finds no difference at all."""

import sys

import pytest
from chain import run
from project_params import REPO

pytestmark = pytest.mark.slow


def test_the_script_runs_on_a_cpu():
    printed = run(REPO, sys.executable, "-m", "benchmarks.gpu", "check", "corpus", "--device", "cpu", "--clips", "24")
    rows = [line.split("|")[1:4] for line in printed.splitlines() if line.startswith("| data/")]
    assert len(rows) >= 15 and {float(found) for _, found, _ in rows} == {0.0}
    assert "| features wavlm --role emotion |" in printed and "| pretrain_audio |" in printed
