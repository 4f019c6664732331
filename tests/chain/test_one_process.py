"""Every stage once in one process, on a sample as small as the stages allow: what it leaves fits together."""

import contextlib
import importlib
import io
import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
from chain import ALL, OUTS, params
from project_params import REPO
from trained_project import main


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, str]:
    """(folder after the whole chain, what the stages printed)."""
    folder, printed = tmp_path_factory.mktemp("chain") / "project", io.StringIO()
    shutil.copytree(REPO / "data/Noise", folder / "data/Noise")
    (folder / "params.yaml").write_text(params({"compute.workers": 1}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(folder)
        for name in ALL:
            main(importlib.import_module(f"stages.{name}"))
    return folder, printed.getvalue()


def test_it_leaves_the_outs_of_dvc_yaml_and_nothing_else(made):
    from dvc.repo import Repo

    folder, _ = made
    with Repo(str(REPO)) as repo:
        outs = [Path(out.fs_path).relative_to(REPO) for out in repo.index.outs]
    assert [out for out in outs if not (folder / out).exists()] == []
    files = [file.relative_to(folder) for place in OUTS for file in (folder / place).rglob("*") if file.is_file()]
    assert len(files) > 100
    assert [file for file in files if not {file, *file.parents} & set(outs)] == []
    assert not list(folder.rglob("*.partial*")) and not list((folder / "data/work").glob("*/fold_*"))


def leaves(values: dict) -> list[object]:
    return [leaf for value in values.values() for leaf in (leaves(value) if isinstance(value, dict) else [value])]


def test_scores_are_of_the_clips_of_the_manifest(made):
    folder, _ = made
    for role, stage, rows in (("emotion", "fusion", "clips"), ("affect", "va", "turns")):
        short = json.loads((folder / f"metrics/{role}.json").read_text())
        full = json.loads((folder / f"metrics/detail/{role}.json").read_text())
        assert 5 < len(leaves(short)) <= 15
        assert all(math.isfinite(value) for value in leaves(full) if isinstance(value, float))
        known = pd.read_csv(folder / f"data/manifest/{role}/labels.csv", dtype=str).set_index("id")
        files = (folder / f"data/models/{stage}").rglob("predictions.csv")
        predicted = pd.concat(pd.read_csv(file, dtype={"id": str}) for file in files)
        tested = predicted[predicted.split == "test"]
        assert full[rows] + full.get("unlabelled", 0) + full.get("silent", 0) == len(tested)
        if role == "emotion":
            assert set(tested.id) == set(known.index[known.split == "test"])
            accuracy = (tested.label == tested.predicted).mean()
            assert full["test"]["accuracy"] == pytest.approx(accuracy, abs=1e-6)
        else:
            assert sorted(tested.id) == sorted(known.index)  # every turn once
        assert full["synthetic"] is True


def test_the_page_shows_both_halves(made):
    folder, printed = made
    page = (folder / "plots/report.html").read_text(encoding="utf-8")
    for role, name in (("emotion", "ravdess"), ("affect", "iemocap")):
        assert role in page and name in page
    assert page.count("data:image/png") == len(list((folder / "plots").rglob("*.png"))) > 10
    assert "Traceback" not in printed
