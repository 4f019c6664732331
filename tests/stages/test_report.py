"""What evaluate adds to plain scores: corpora with folds, calibration, pooled attention, the page."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from sklearn.calibration import calibration_curve
from test_evaluate import FUSION, TEST, TRUTH, facts, make, run

from avemotion.formats import labels
from avemotion.plots import canvas, pooled_attention
from avemotion.scoring import reported_metrics
from stages import evaluate

ROOT = Path(__file__).resolve().parents[1]


def into_folds(root: Path) -> None:
    """The same six test clips as two folds of three; the clips of the other fold train."""
    models, manifest = root / "data/models", root / "data/manifest"
    known = labels.read("emotion", manifest)
    known = known[known["id"].isin(TEST)].assign(split=["1", "2", "1", "2", "1", "2"])
    labels.write("emotion", known.to_dict("records"), facts("emotion", folds=[1, 2]), manifest)
    for stage in ("pretrain_audio", "pretrain_video", "fusion"):
        home = models / stage
        for fold in (1, 2):
            own = set(known["id"][known["split"] == str(fold)])
            (home / f"fold_{fold}").mkdir()
            for file in [file for file in home.iterdir() if file.is_file()]:
                target = home / f"fold_{fold}" / file.name
                table = pd.read_csv(file) if file.name in ("predictions.csv", "gates.csv", "conditions.csv") else None
                if table is None:
                    shutil.copy(file, target)
                else:
                    table[table["id"].isin(own)].to_csv(target, index=False, float_format="%.6f")
        for file in [file for file in home.iterdir() if file.is_file()]:
            file.unlink()


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return run(make(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def folded(tmp_path_factory) -> Path:
    root = make(tmp_path_factory.mktemp("folded"))
    into_folds(root)
    return run(root)


def test_folds_of_the_emotion_corpus(plain, folded):
    scores, without = (json.loads((root / "metrics/emotion.json").read_text()) for root in (folded, plain))
    right = np.array(TRUTH) == np.array(FUSION)
    by_fold = [right[0::2].mean(), right[1::2].mean()]
    assert [scores[f"fold_{k}"]["accuracy"] for k in (1, 2)] == pytest.approx(by_fold, abs=1e-6)
    assert scores["mean"]["accuracy"] == pytest.approx(np.mean(by_fold), abs=1e-6)
    assert scores["sd"]["accuracy"] == pytest.approx(np.std(by_fold, ddof=1), abs=1e-6)
    assert scores["fold_1"]["clips"] == 3
    assert scores["test"] == without["test"]  # pooled, the same six clips
    assert scores["condition"] == without["condition"]
    # Fold 1 (angry, sad, happy) learns from happy, angry, sad: all once, so the first class. The same for fold 2.
    assert scores["majority"] == pytest.approx(1 / 3, abs=1e-6)
    assert "mean" not in without and "fold_1" not in without


def test_plots_of_the_emotion_folds(plain, folded):
    curves = pd.read_csv(folded / "plots/training.csv")
    assert set(curves[curves["stage"] == "fusion"]["fold"]) == {1, 2}
    for name in ("gates", "confusion", "conditions", "attention_video_to_audio", "profiles", "calibration"):
        assert sorted((folded / f"plots/{name}.csv").read_text().splitlines()) == sorted(
            (plain / f"plots/{name}.csv").read_text().splitlines()
        )


def test_a_fold_with_other_rows_is_refused(tmp_path):
    root = make(tmp_path)
    into_folds(root)
    shutil.copy(root / "data/models/fusion/fold_1/predictions.csv", root / "data/models/fusion/fold_2/predictions.csv")
    with pytest.raises(ValueError, match=r"fusion/fold_2/predictions\.csv: not the test rows .* 3 missing, 3 unknown"):
        run(root)


def test_manifest_metrics(plain):
    scores = json.loads((plain / "metrics/manifest.json").read_text())
    assert scores["emotion"]["class"] == {"angry": 3, "happy": 4, "sad": 3}
    assert scores["emotion"]["split"] == {"train": 3, "val": 1, "test": 6}
    assert scores["affect"]["split"] == {"fold_1": 4, "fold_2": 4, "fold_3": 5}


def test_reliability_equals_sklearn():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.3, 0.5, 0.4], 500)
    truth = rng.integers(0, 3, 500)
    table = reported_metrics.reliability(truth, probabilities, bins=10)
    right = probabilities.argmax(1) == truth
    accuracy, confidence = calibration_curve(right, probabilities.max(1), n_bins=10)
    assert table["accuracy"].tolist() == pytest.approx(accuracy)
    assert table["confidence"].tolist() == pytest.approx(confidence)
    assert table["clips"].sum() == 500
    error = (np.abs(accuracy - confidence) * table["clips"]).sum() / 500
    assert reported_metrics.calibration_error(truth, probabilities, bins=10) == pytest.approx(error)


def test_profiles_and_entropy_by_hand():
    assert pooled_attention.entropy(np.full(7, 1 / 7)) == pytest.approx(1)
    assert pooled_attention.entropy(np.array([0, 1.0, 0])) == 0
    assert pooled_attention.entropy(np.array([0.5, 0.5, 0, 0])) == pytest.approx(0.5)
    assert np.isnan(pooled_attention.entropy(np.ones(1)))
    assert pooled_attention.profile(np.array([0.75, 0.25])).tolist() == pytest.approx([1.5] * 10 + [0.5] * 10)
    for steps in (1, 3, 8, 33, 400):
        weights = np.random.default_rng(steps).dirichlet(np.ones(steps))
        assert pooled_attention.profile(weights).mean() == pytest.approx(1)


def test_pooled_attention_tables(plain):
    profiles = pd.read_csv(plain / "plots/profiles.csv")
    heard = profiles[(profiles["attention"] == "video_to_audio") & (profiles["label"] == "happy")]
    # Mean over the frames is 0.4, 0.4, 0.1, 0.1 of four steps, for both clips.
    assert heard["relative"].tolist() == pytest.approx([1.6] * 10 + [0.4] * 10)
    assert set(heard["clips"]) == {2}
    entropy = pd.read_csv(plain / "plots/entropy.csv")
    weights = np.array([0.4, 0.4, 0.1, 0.1])
    value = -(weights * np.log(weights)).sum() / np.log(4)
    assert entropy[entropy["target"] == "video_to_audio"]["entropy"].tolist() == pytest.approx([value] * 3, rel=1e-5)


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, file: Path):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_pictures_keep_their_colours_in_a_palette(tmp_path):
    """Rare colours too: a colour bar beside much of something else."""
    rng = np.random.default_rng(0)
    with canvas.picture(tmp_path / "palette.png", 6, 4) as figure:
        bar, mel, photo = figure.subplots(3, 1, gridspec_kw={"height_ratios": [1, 12, 12]})
        bar.imshow(np.linspace(0, 1, 400)[None], cmap="viridis", aspect="auto")
        mel.imshow(rng.normal(size=(64, 200)), cmap="magma", aspect="auto")
        photo.imshow(np.repeat(rng.uniform(0.5, 0.7, (1, 40, 1)) * [1, 0.8, 0.7], 9, 0), aspect="auto")
        figure.savefig(tmp_path / "whole.png")
    palette, whole = (Image.open(tmp_path / f"{name}.png") for name in ("palette", "whole"))
    assert palette.mode == "P" and palette.size == whole.size
    difference = np.abs(np.asarray(palette.convert("RGB"), int) - np.asarray(whole.convert("RGB"), int))
    assert difference.max() <= 24 and difference.mean() < 3
    assert (tmp_path / "palette.png").stat().st_size < 0.6 * (tmp_path / "whole.png").stat().st_size


def test_ablation_tables_are_shown(plain, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(plain, root)
    table = "| model | UAR |\n| --- | --- |\n| fusion | 0.59 <b> |\n\nMean over seeds.\n- run 2 is missing: killed\n"
    (root / "ablations").mkdir()
    (root / "ablations/modes.md").write_text(table, encoding="utf-8")
    (root / "ablations/README.md").write_text("| not | this |\n", encoding="utf-8")
    text = (run(root) / "plots/report.html").read_text(encoding="utf-8")
    shown = [
        text.index(part) for part in ("Ablations: modes", "<th>model</th>", "<td>0.59 &lt;b&gt;</td>", "Mean over")
    ]
    assert shown == sorted(shown) and "run 2 is missing: killed" in text and "---" not in text[shown[0] :][:600]
    assert "<th>not</th>" not in text and "Ablations" not in (plain / "plots/report.html").read_text(encoding="utf-8")


def test_page_is_self_contained(plain):
    page, text = Page(plain / "plots/report.html"), (plain / "plots/report.html").read_text(encoding="utf-8")
    loaded = [
        a.get(name, "") for _, a in page.tags for name in ("src", "href", "data", "srcset", "poster") if name in a
    ]
    assert len(loaded) == len(list((plain / "plots").glob("*.png"))) == 12
    assert all(source.startswith("data:image/png;base64,") for source in loaded)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed"})
    assert not re.search(r"https?://|@import|url\(", text)
    assert [a["name"] for tag, a in page.tags if tag == "meta" and "name" in a] == ["viewport"]


def test_page_says_what_was_run(plain):
    page = Page(plain / "plots/report.html")
    scores = json.loads((plain / "metrics/emotion.json").read_text())["test"]
    assert f"{scores['uar']:.3f} [{scores['uar_low']:.3f}, {scores['uar_high']:.3f}]" in page.text
    assert "Synthetic sample" in page.text
    assert "emotion: 2 rejected" in page.text and "2 x too short" in page.text
    assert all(f"params: {name}" in page.text for name in evaluate.SHOWN)
    assert all(tag != "img" or attributes["alt"] for tag, attributes in page.tags)


def test_page_shows_every_section_that_a_model_depends_on():
    sections = set(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))
    assert sections - set(evaluate.SHOWN) == {"seed", "compute", "corpora", "sample", "evaluate"}


def test_page_escapes_what_it_shows(tmp_path):
    root = make(tmp_path)
    content = yaml.safe_load((root / "params.yaml").read_text()) | {"speech": {"model": "<script>alert(1)</script>"}}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    page = Page(run(root) / "plots/report.html")
    assert "script" not in {tag for tag, _ in page.tags} and "<script>alert(1)" in page.text
