"""What is known of the last whole run of an extractor."""

from pathlib import Path

import pytest

from avemotion.extraction.last_run import LastRun


@pytest.mark.parametrize("text", ["", "schema: '2.0'\nstages:\n  a:\n    outs: [{pa", "[1, 2]", "stages: 3"])
def test_a_dvc_lock_or_a_list_of_the_last_run_that_was_cut_off_is_none(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text(text)
    Path("last.json").write_text('{"a": {"media": "m", "rows": {"x": "0"}, "counts": {}}}')
    assert LastRun(Path(), Path("out"), {"a": "m"}).find({"a"}) == set()
    Path("last.json").write_text('{"a": {"media": "m", "ro')
    assert LastRun(Path(), Path("out"), {"a": "m"}).find({"a"}) == set()
