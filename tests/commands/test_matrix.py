"""matrix on runs of the toy chain: own test clips by their predictions, other corpora by metrics/transfer."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from toy_project import run

from avemotion.scoring import summaries
from commands import matrix

FILMS = {"uar": 0.4, "uar_low": 0.3, "uar_high": 0.5, "classes": 6, "clips": 240}


def scored(folder: Path, **models: dict) -> None:
    file = folder / "metrics/transfer/films.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(summaries.text({**models, "synthetic": False}), encoding="utf-8")


def call(monkeypatch, capsys, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["matrix", *arguments, "--draws", "200"])
    matrix.main()
    return capsys.readouterr().out


@pytest.fixture
def here(experiments, tmp_path, monkeypatch) -> Path:
    """A clone of the project of experiments whose params name the corpora."""
    import shutil

    shutil.copytree(experiments, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["corpora"] = {"emotion": {"name": "ravdess", "root": "data/ravdess"}}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return tmp_path / "project"


def test_a_row_has_the_own_test_and_each_corpus(here, monkeypatch, capsys):
    scored(here, fusion=FILMS, pretrain_video=FILMS | {"uar": 0.2})
    (line,) = [line for line in call(monkeypatch, capsys).splitlines() if line.startswith("| workspace")]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    rows = pd.read_csv("data/models/fusion/predictions.csv").query("split == 'test'")
    recalls = [(of["predicted"] == name).mean() for name, of in rows.groupby("label")]
    assert cells[2].startswith(f"{sum(recalls) / len(recalls):.3f} [") and cells[2].endswith(f"], {len(recalls)}")
    assert cells[3] == "0.400 [0.300, 0.500], 6" and "data/ravdess" in cells[1]
    call(monkeypatch, capsys, "--model", "pretrain_video", "--out", "matrix.csv")
    table = pd.read_csv("matrix.csv")
    assert table["tested_on"].tolist() == ["own test", "films"] and table["value"][1] == 0.2
    assert table["clips"].tolist() == [len(rows), 240]


def test_revisions_and_runs_without_a_score_of_a_corpus(here, monkeypatch, capsys):
    scored(here, fusion=FILMS)
    run(here, "git", "add", ".")
    run(here, "git", "commit", "-q", "-m", "scored on films")
    (here / "metrics/transfer/films.json").unlink()
    text = call(monkeypatch, capsys, "main", "workspace")
    main, workspace = (line for line in text.splitlines() if line.startswith(("| main", "| workspace")))
    assert main.endswith("| 0.400 [0.300, 0.500], 6 |") and workspace.endswith("| – |")  # noqa: RUF001
    assert main.split("|")[3] == workspace.split("|")[3]
    text = call(monkeypatch, capsys, "--folders", ".")
    assert "films" not in text and "Synthetic sample" in text


def test_what_is_refused(here, monkeypatch, capsys):
    with pytest.raises(ValueError, match=r"ends in \.md or \.csv"):
        call(monkeypatch, capsys, "--out", "matrix.txt")
    with pytest.raises(ValueError, match="not both"):
        call(monkeypatch, capsys, "main", "--folders", ".")
    with pytest.raises(ValueError, match="nowhere"):
        call(monkeypatch, capsys, "--folders", "nowhere")
    facts = json.loads(Path("data/manifest/emotion/corpus.json").read_text())
    Path("data/manifest/emotion/corpus.json").unlink()
    Path("data/manifest/emotion/corpus.json").write_text(json.dumps(facts | {"corpus": None}))
    with pytest.raises(ValueError, match=r"workspace has no fusion: its corpora\.emotion names no corpus"):
        call(monkeypatch, capsys)
