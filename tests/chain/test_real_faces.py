"""The benchmark of faces: folds of paired speakers, and predictions relative to the speaker."""

import numpy as np
import pandas as pd

from benchmarks import real_faces


def test_speakers_are_paired_in_the_order_of_their_names(tmp_path):
    names = ["S10", "S02", "S01", "S03", "S02"]
    pd.DataFrame({"id": range(5), "video": "x.mp4", "speaker": names}).to_csv(tmp_path / "table.csv", index=False)
    table = pd.read_csv(real_faces.paired(tmp_path, tmp_path / "paired.txt"))
    assert dict(zip(table["speaker"], table["split"], strict=True)) == {"S01": 1, "S02": 1, "S03": 2, "S10": 2}
    assert table["speaker"].tolist() == names


def test_predictions_relative_to_the_speaker():
    """A speaker whom the model always takes for sad is judged by what differs between the clips."""
    shares = np.array([[0.3, 0.7], [0.1, 0.9], [0.9, 0.1], [0.6, 0.4]])
    table = pd.DataFrame(shares, columns=["p_happy", "p_sad"]).assign(speaker=["a", "a", "b", "b"], fold=1)
    assert real_faces.relative(table, "none")["predicted"].tolist() == ["sad", "sad", "happy", "happy"]
    assert real_faces.relative(table, "mean")["predicted"].tolist() == ["happy", "sad", "happy", "sad"]
