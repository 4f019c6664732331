"""Splits and folds by hand, on lists of clips without any file."""

import pandas as pd
import pytest
from manifest_toys import emotion_params

from avemotion.manifest import disjoint, splits
from avemotion.params.manifest import Actors, AffectParams
from avemotion.parsing.clip import Clip


def clip_list(counts: dict[str, int], speakers: int = 4) -> list[Clip]:
    return [
        Clip(id=f"{emotion}{i:04}", speaker=f"Actor_{i % speakers + 1:02}", gender=None, emotion=emotion)
        for emotion, count in counts.items()
        for i in range(count)
    ]


def test_stratified_counts_by_hand():
    # 192: cuts at 134.4 and 163.2; 96: at 67.2 and 81.6; 10: at 7 and 8.5, which rounds up
    listed = clip_list({"angry": 192, "neutral": 96, "few": 10})
    part_of = splits.assign("emotion", listed, emotion_params(split="stratified"), seed=3)
    counts = pd.Series({(clip.emotion, clip.id): part_of[clip.id] for clip in listed}).groupby(level=0).value_counts()
    assert counts.to_dict() == {
        **{("angry", "train"): 134, ("angry", "val"): 29, ("angry", "test"): 29},
        **{("neutral", "train"): 67, ("neutral", "val"): 15, ("neutral", "test"): 14},
        **{("few", "train"): 7, ("few", "val"): 2, ("few", "test"): 1},
    }
    assert part_of == splits.assign("emotion", listed[::-1], emotion_params(split="stratified"), seed=3)
    assert part_of != splits.assign("emotion", listed, emotion_params(split="stratified"), seed=4)
    assert part_of["angry0000"] in splits.PARTS
    by_position = [part_of[f"angry{i:04}"] for i in range(192)]
    assert by_position != sorted(by_position, key=splits.PARTS.index)  # at random, not the first 134


def test_a_number_that_fits_two_speakers_is_refused():
    listed = [
        Clip(id=str(i), speaker=speaker, gender=None, emotion="e") for i, speaker in enumerate(("A_02", "B_2", "A_03"))
    ]
    with pytest.raises(ValueError, match="2 fits A_02, B_2; write the full name"):
        splits.assign("emotion", listed, emotion_params(actors=Actors(val=[2], test=[3])), seed=0)


def test_folds_do_not_share_speakers():
    def fold(speakers: list[tuple[str, int | None]]) -> dict[str, str]:
        listed = [
            Clip(id=str(i), speaker=speaker, gender=None, emotion="e", session=session)
            for i, (speaker, session) in enumerate(speakers)
        ]
        return splits.assign("affect", listed, AffectParams(split="sessions", folds=5, deal=0), seed=0)

    assert fold([("a", 1), ("b", 2), ("c", 3), ("a", 1)]) == {"0": "1", "1": "2", "2": "3", "3": "1"}
    with pytest.raises(ValueError, match="puts speaker a into 1 and 3"):
        fold([("a", 1), ("b", 2), ("a", 3)])
    with pytest.raises(ValueError, match="gives folds 1, 2; testing, validating and training take three"):
        fold([("a", 1), ("b", 2)])
    with pytest.raises(ValueError, match="is sessions, but the corpus has none"):
        fold([("a", 1), ("b", None)])


def test_speakers_of_different_corpora_may_have_the_same_name():
    one = [Clip(id="a", speaker="01", gender=None, emotion="e")]
    disjoint.between_roles({"emotion": "x", "affect": "y"}, {"emotion": one, "affect": one})
    with pytest.raises(ValueError, match="share speakers 01"):
        disjoint.between_roles({"emotion": "x", "affect": "x"}, {"emotion": one, "affect": one})
