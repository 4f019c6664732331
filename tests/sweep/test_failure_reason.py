"""The line of an output that says why a run failed."""

import pytest

from avemotion.sweep.failure_reason import Reason

STAGE = "ERROR: failed to reproduce 'fusion': failed to run: python -m stages.fusion, exited with "


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["rounding error 0.1", "error: no labels", "epoch 3", STAGE + "1"], "fusion exited with 1: error: no labels"),
        (["Running stage 'fusion':", "> python x", "epoch 3", "", STAGE + "-9"], "fusion exited with -9: epoch 3"),
        (["Traceback", "  x = 1 / 0", "ZeroDivisionError: division by zero"], "ZeroDivisionError: division by zero"),
        (["ERROR: Invalid `--set-param` value", "See `dvc doctor`"], "ERROR: Invalid `--set-param` value"),
        ([], ""),
    ],
)
def test_reason(lines, reason):
    found = Reason()
    for line in lines:
        found.read(line + "\n")
    assert found.text == reason
