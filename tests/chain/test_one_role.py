"""A corpus in one role alone: every stage runs, the other half is empty, and this half is what it is beside another."""

import json
from pathlib import Path

import pytest
from chain import ALL, digests, make

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chain")]
STAGES = [stage for stage in ALL if stage != "sample"]
NONE = {"name": None, "root": "data/none"}


def metrics(folder: Path, role: str) -> dict[str, object]:
    """Headlines and details of a role."""
    texts = [(folder / f"metrics/{place}{role}.json").read_text(encoding="utf-8") for place in ("", "detail/")]
    headlines, detail = map(json.loads, texts)
    assert bool(headlines) == bool(detail) and len(headlines) <= 15
    return detail


def halves(folder: Path, half: tuple[str, ...]) -> dict[str, str]:
    """Digests of the files whose path has one of these parts."""
    return {name: digest for name, digest in digests(folder).items() if any(part in name for part in half)}


def test_emotion_alone(reproduced, with_sample):
    printed = make(with_sample, {"corpora.affect": NONE}, STAGES)
    assert "affect: corpora.affect names no corpus" in printed
    assert metrics(with_sample, "affect") == {}
    assert (with_sample / "plots/affect/README.md").read_text() == "corpora.affect names no corpus.\n"
    assert (with_sample / "data/models/va/README.md").is_file() and not list(with_sample.glob("data/models/va/*/*"))
    ours = ("/emotion", "models/pretrain", "models/fusion")
    assert halves(with_sample, ours) == halves(reproduced, ours)
    assert len(halves(with_sample, ours)) > 40
    page = (with_sample / "plots/report.html").read_text(encoding="utf-8")
    assert "macro" in page.lower()

    first = digests(with_sample)
    make(with_sample, {"corpora.affect": None}, STAGES)  # the whole section instead of its name
    changed = {name for name, digest in digests(with_sample).items() if first.get(name) != digest}
    assert changed <= {"plots/report.html"} and first.keys() == digests(with_sample).keys()


def test_affect_alone(reproduced, with_sample):
    changes = {"corpora.emotion": NONE, "va.inputs": ["speech", "prosody", "speaker"]}
    printed = make(with_sample, changes, STAGES)
    assert "emotion: corpora.emotion names no corpus" in printed
    assert metrics(with_sample, "emotion") == {}
    assert (with_sample / "plots/emotion/README.md").read_text() == "corpora.emotion names no corpus.\n"
    for stage in ("pretrain_audio", "pretrain_video", "fusion"):
        left = [file.name for file in (with_sample / "data/models" / stage).iterdir()]
        assert left == ["README.md"]
    folds = sorted(path.name for path in (with_sample / "data/models/va").iterdir())
    assert folds == [f"fold_{k}" for k in range(1, 6)]
    detail = metrics(with_sample, "affect")
    assert set(detail) == set(metrics(reproduced, "affect"))
    ours = ("features/wavlm/affect", "features/prosody/affect", "features/speaker/affect", "manifest/affect")
    assert halves(with_sample, ours) == halves(reproduced, ours)
    assert (with_sample / "plots/report.html").is_file()

    first = digests(with_sample)
    make(with_sample, changes | {"corpora.emotion": None}, STAGES)
    changed = {name for name, digest in digests(with_sample).items() if first.get(name) != digest}
    assert changed <= {"plots/report.html"} and first.keys() == digests(with_sample).keys()
