"""The benchmark of faces: folds of paired speakers."""

import pandas as pd

from benchmarks import real_faces


def test_speakers_are_paired_in_the_order_of_their_names(tmp_path):
    names = ["S10", "S02", "S01", "S03", "S02"]
    pd.DataFrame({"id": range(5), "video": "x.mp4", "speaker": names}).to_csv(tmp_path / "table.csv", index=False)
    table = pd.read_csv(real_faces.paired(tmp_path, tmp_path / "paired.txt"))
    assert dict(zip(table["speaker"], table["split"], strict=True)) == {"S01": 1, "S02": 1, "S03": 2, "S10": 2}
    assert table["speaker"].tolist() == names
