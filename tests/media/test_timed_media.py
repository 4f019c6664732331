"""Recordings as people make them: every beep at its time and pitch, every frame at its time."""

import pytest

from benchmarks import timed_cases

FEW = (".wav", ".mp3", ".mkv")  # the fast tests; the slow ones take every format


@pytest.mark.parametrize("part", timed_cases.PARTS)
def test_values_of_a_few_formats(tmp_path, part):
    outcomes = {case.file.name: timed_cases.check(case) for case in timed_cases.cases(tmp_path, [part], FEW)}
    assert outcomes and outcomes == dict.fromkeys(outcomes, "right")


@pytest.mark.slow
@pytest.mark.parametrize("part", timed_cases.PARTS)
def test_values_of_every_format(tmp_path, part):
    outcomes = {case.file.name: timed_cases.check(case) for case in timed_cases.cases(tmp_path, [part])}
    assert outcomes == dict.fromkeys(outcomes, "right")
