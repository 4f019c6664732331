"""Params of the stage manifest without effect change no byte of data/manifest; the same params elsewhere do."""

import pytest
from manifest_toys import run

from avemotion.formats import clips
from avemotion.params.manifest import configure, unused

# Key -> another valid value, or for a key in use one that the stage refuses.
OTHER = {
    "manifest.seed": 9,
    "manifest.emotion": {
        "labels": "coarse4",
        "target": "soft",
        "split": "given",
        "protocol": "loso",
        "actors": {"val": [1], "test": [2]},
        "folds": 3,
        "deal": 5,
        "ratios": [0.25, 0.25, 0.5],
        "few": {"speakers": 1, "clips": 1, "seed": 9},
    },
    "manifest.emotion.split": "given",
    "manifest.emotion.actors": {"val": [1], "test": [2]},
    "manifest.emotion.protocol": "emobox",
    "manifest.emotion.folds": 3,
    "manifest.emotion.deal": 3,
    "manifest.emotion.ratios": [0.25, 0.25, 0.5],
    "manifest.emotion.few.seed": 9,
    "manifest.affect": {"split": "given", "folds": 4, "deal": 1},
    "manifest.affect.folds": 4,
    "manifest.affect.deal": 2,
    "manifest.faces": {"held_out": 0.3},
    "manifest.cremad": {"labels": "perceived", "raters": "face"},
    "manifest.ravdess": {"channels": ["song"]},
    "manifest.iemocap": {"parts": ["script"], "wearer_side": "right"},
    "manifest.msp_podcast": {"tests": ["Test2"]},
    "manifest.csv": {"table": "none.csv", "scale": [1, 9], "cut_video": True},
}
BOTH = {"name": "iemocap", "root": "data/iemocap"}
PER_FOLD = {"corpora.emotion": BOTH, "pretrain.per_fold": True}
KFOLD = {"manifest.emotion.split": "actor_kfold"}
STRATIFIED = {"manifest.emotion.split": "stratified", "manifest.emotion.ratios": [0.5, 0.25, 0.25]}


def made(monkeypatch, changes) -> dict[str, bytes] | str:
    """What the stage writes, or why it refuses."""
    try:
        run(monkeypatch, **{key.replace(".", "__"): value for key, value in changes.items()})
    except ValueError as error:
        return str(error)
    return {file.as_posix(): file.read_bytes() for file in clips.FOLDER.rglob("*.*")}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        KFOLD,
        STRATIFIED,
        {"manifest.affect.split": "speakers"},
        {"corpora.emotion": None},
        {"corpora.affect": None},
        PER_FOLD,
    ],
    ids=str,
)
def test_unused_params_change_no_byte(project, monkeypatch, changes):
    before = made(monkeypatch, changes)
    assert isinstance(before, dict) and len(before) == 13
    others = {key: OTHER[key] for key in unused(configure(project / "params.yaml"))}
    assert len(others) >= 4
    assert made(monkeypatch, changes | others) == before


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        *(({}, f"manifest.{key}") for key in ("emotion.actors", "emotion.split", "ravdess", "iemocap")),
        *(({}, f"manifest.{key}") for key in ("emotion", "affect")),
        (KFOLD, "manifest.emotion.folds"),
        (KFOLD, "manifest.emotion.deal"),
        ({"manifest.affect.split": "speakers"}, "manifest.affect.deal"),
        (STRATIFIED, "manifest.emotion.ratios"),
        (STRATIFIED, "manifest.seed"),
        ({"manifest.affect.split": "speakers"}, "manifest.affect.folds"),
    ],
    ids=str,
)
def test_params_in_use_change_bytes(project, monkeypatch, changes, key):
    before = made(monkeypatch, changes)
    assert isinstance(before, dict) and key not in unused(configure(project / "params.yaml"))
    assert made(monkeypatch, changes | {key: OTHER[key]}) != before
