"""What the stages evaluate and report add to evaluated scores: corpora with folds, the page, ablations."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from project_params import REPO as ROOT
from results_toys import FUSION, TEST, TRUTH, detail, facts, make, plot, run, table

from avemotion.formats import labels
from stages import report


def into_folds(root: Path) -> None:
    """The same six test clips as two folds of three; the clips of the other fold train."""
    models, manifest = root / "data/models", root / "data/manifest"
    known = labels.read("emotion", manifest)
    known = known[known["id"].isin(TEST)].assign(split=["1", "2", "1", "2", "1", "2"])
    labels.write("emotion", known.to_dict("records"), facts("emotion", folds=[1, 2]), manifest)
    for stage in ("pretrain_audio", "pretrain_video", "fusion", "baseline/emotion"):
        home = models / stage
        for fold in (1, 2):
            own, other = (set(known["id"][(known["split"] == str(fold)) == same]) for same in (True, False))
            (home / f"fold_{fold}").mkdir()
            for file in [file for file in home.iterdir() if file.is_file()]:
                target = home / f"fold_{fold}" / file.name
                table = pd.read_csv(file) if file.name in ("predictions.csv", "gates.csv", "conditions.csv") else None
                if table is None:
                    shutil.copy(file, target)
                else:
                    tested = table[table["id"].isin(own)]
                    if file.name == "predictions.csv":  # the other fold validates
                        tested = pd.concat([tested, table[table["id"].isin(other)].assign(split="val")])
                    tested.to_csv(target, index=False, float_format="%.6f")
        for file in [file for file in home.iterdir() if file.is_file()]:
            file.unlink()


@pytest.fixture(scope="module")
def folded(evaluated, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("folded") / "project"
    shutil.copytree(evaluated, root)
    into_folds(root)
    return run(root, "emotion", "report")


def test_folds_of_the_emotion_corpus(evaluated, folded):
    scores, without = (detail(root, "emotion") for root in (folded, evaluated))
    right = np.array(TRUTH) == np.array(FUSION)
    by_fold = [right[0::2].mean(), right[1::2].mean()]
    assert [scores[f"fold_{k}"]["accuracy"] for k in (1, 2)] == pytest.approx(by_fold, abs=1e-6)
    assert scores["mean"]["accuracy"] == pytest.approx(np.mean(by_fold), abs=1e-6)
    assert scores["sd"]["accuracy"] == pytest.approx(np.std(by_fold, ddof=1), abs=1e-6)
    assert scores["fold_1"]["clips"] == 3
    assert {name: scores["val"][name] for name in ("accuracy", "uar")} == {
        name: scores["test"][name] for name in ("accuracy", "uar")
    }  # the same predictions of the same six clips, one fold each
    assert scores["test"] == without["test"]  # pooled, the same six clips
    assert scores["condition"] == without["condition"]
    # Fold 1 (angry, sad, happy) learns from happy, angry, sad: all once, so the first class. The same for fold 2.
    assert scores["majority"] == pytest.approx(1 / 3, abs=1e-6)
    assert "mean" not in without and "fold_1" not in without


def test_plots_of_the_emotion_folds(evaluated, folded):
    curves = table(folded, "training")
    assert set(curves[curves["stage"] == "fusion"]["fold"]) == {1, 2}
    for name in ("gates", "confusion", "conditions", "attention_video_to_audio", "profiles", "calibration"):
        assert sorted(plot(folded, f"{name}.csv").read_text().splitlines()) == sorted(
            plot(evaluated, f"{name}.csv").read_text().splitlines()
        )


def test_a_fold_with_other_rows_is_refused(tmp_path):
    root = make(tmp_path)
    into_folds(root)
    shutil.copy(root / "data/models/fusion/fold_1/predictions.csv", root / "data/models/fusion/fold_2/predictions.csv")
    with pytest.raises(ValueError, match=r"fusion/fold_2/predictions\.csv: not the test rows .* 3 missing, 3 unknown"):
        run(root, "emotion")


def test_manifest_metrics(evaluated):
    scores = detail(evaluated, "manifest")
    assert scores["emotion"]["class"] == {"angry": 3, "happy": 4, "sad": 3}
    assert scores["emotion"]["split"] == {"train": 3, "val": 1, "test": 6}
    assert scores["affect"]["split"] == {"fold_1": 4, "fold_2": 4, "fold_3": 5}


def test_pooled_attention_tables(evaluated):
    profiles = table(evaluated, "profiles")
    heard = profiles[(profiles["attention"] == "video_to_audio") & (profiles["label"] == "happy")]
    # Mean over the frames is 0.4, 0.4, 0.1, 0.1 of four steps, for both clips.
    assert heard["relative"].tolist() == pytest.approx([1.6] * 10 + [0.4] * 10)
    assert set(heard["clips"]) == {2}
    entropy = table(evaluated, "entropy")
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


def test_ablation_tables_are_shown(evaluated, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(evaluated, root)
    table = "| model | UAR |\n| --- | --- |\n| fusion | 0.59 <b> |\n\nMean over seeds.\n- run 2 is missing: killed\n"
    (root / "ablations").mkdir()
    (root / "ablations/modes.md").write_text(table, encoding="utf-8")
    (root / "ablations/README.md").write_text("| not | this |\n", encoding="utf-8")
    text = (run(root, "report") / "plots/report.html").read_text(encoding="utf-8")
    shown = [
        text.index(part) for part in ("Ablations: modes", "<th>model</th>", "<td>0.59 &lt;b&gt;</td>", "Mean over")
    ]
    assert shown == sorted(shown) and "run 2 is missing: killed" in text and "---" not in text[shown[0] :][:600]
    assert "<th>not</th>" not in text and "Ablations" not in (evaluated / "plots/report.html").read_text(
        encoding="utf-8"
    )


def test_page_is_self_contained(evaluated):
    page, text = Page(evaluated / "plots/report.html"), (evaluated / "plots/report.html").read_text(encoding="utf-8")
    loaded = [
        a.get(name, "") for _, a in page.tags for name in ("src", "href", "data", "srcset", "poster") if name in a
    ]
    assert len(loaded) == len(list((evaluated / "plots").rglob("*.png"))) == 13
    assert all(source.startswith("data:image/png;base64,") for source in loaded)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed"})
    assert not re.search(r"https?://|@import|url\(", text)
    assert [a["name"] for tag, a in page.tags if tag == "meta" and "name" in a] == ["viewport"]


def test_page_says_what_was_run(evaluated):
    page = Page(evaluated / "plots/report.html")
    scores = detail(evaluated, "emotion")["test"]
    assert f"{scores['uar']:.3f} [{scores['uar_low']:.3f}, {scores['uar_high']:.3f}]" in page.text
    assert "Synthetic sample" in page.text
    assert "emotion: 2 rejected" in page.text and "2 x too short" in page.text
    assert all(f"params: {name}" in page.text for name in report.SHOWN)
    assert all(tag != "img" or attributes["alt"] for tag, attributes in page.tags)


def test_page_shows_every_section_that_a_model_depends_on():
    sections = set(yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")))
    assert sections - set(report.SHOWN) == {"seed", "compute", "corpora", "sample", "evaluate", "more_features"}


def test_page_escapes_what_it_shows(evaluated, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(evaluated, root)
    content = yaml.safe_load((root / "params.yaml").read_text()) | {"speech": {"model": "<script>alert(1)</script>"}}
    (root / "params.yaml").write_text(yaml.safe_dump(content))
    page = Page(run(root, "report") / "plots/report.html")
    assert "script" not in {tag for tag, _ in page.tags} and "<script>alert(1)" in page.text
