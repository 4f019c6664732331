"""Speakers dealt into folds: by hand, and whatever the corpus looks like."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifest_toys import emotion_params

from avemotion.manifest import deal, splits
from avemotion.params.manifest import AffectParams
from avemotion.parsing.clip import Clip


def clip(clip_id: str, speaker: str, gender: str | None = None, **rest) -> Clip:
    return Clip(id=clip_id, speaker=speaker, gender=gender, emotion="e", **rest)


def ravdess(actors=range(1, 25), clips: int = 60) -> list[Clip]:
    return [
        clip(f"{actor:02}-{i}", f"Actor_{actor:02}", "male" if actor % 2 else "female")
        for actor in actors
        for i in range(clips)
    ]


def members(part_of: dict[str, str], clips: list[Clip]) -> dict[str, list[str]]:
    found = defaultdict(set)
    for one in clips:
        found[part_of[one.id]].add(one.speaker)
    return {fold: sorted(found[fold]) for fold in sorted(found)}


def test_ravdess_gives_six_folds_of_two_men_and_two_women():
    clips = ravdess()
    params = emotion_params(split="actor_kfold", folds=6)
    part_of = splits.assign("emotion", clips, params, seed=0)
    assert part_of == splits.assign("emotion", clips[::-1], params, seed=7)  # neither order nor seed matters
    dealt = members(part_of, clips)
    assert list(dealt) == ["1", "2", "3", "4", "5", "6"] == list(map(str, splits.fold_numbers(part_of)))
    # women 02, 04 ... 24 and men 01, 03 ... 23, each dealt round twice
    assert dealt["1"] == ["Actor_01", "Actor_02", "Actor_13", "Actor_14"]
    assert dealt["6"] == ["Actor_11", "Actor_12", "Actor_23", "Actor_24"]
    assert Counter(map(len, dealt.values())) == {4: 6}


def test_a_damaged_clip_rearranges_nobody():
    clips = ravdess()
    before = deal.deal(clips, 6, "s", whole_dialogues=False)
    after = deal.deal([one for one in clips if not one.id.startswith("05-1")], 6, "s", whole_dialogues=False)
    assert after.items() <= before.items() and len(after) == len(before) - 11


def test_large_speakers_are_spread():
    sizes = {"a": 1000, "b": 900, "c": 16, "d": 16, "e": 16, "f": 16}
    clips = [clip(f"{name}{i}", name) for name, size in sizes.items() for i in range(size)]
    dealt = members(deal.deal(clips, 3, "s", whole_dialogues=False), clips)
    # a, b and c open a fold each; then d goes to the lightest, e and f to the others, so that each has two
    assert dealt == {"1": ["a", "e"], "2": ["b", "f"], "3": ["c", "d"]}


def test_dialogues_stay_whole():
    pairs = [("F1", "M1"), ("F2", "M2"), ("F3", "M3"), ("F4", "M4"), ("F4", "M5")]
    clips = [clip(f"{i}{name}", name, dialogue=f"d{i}") for i, pair in enumerate(pairs) for name in pair]
    dealt = members(deal.deal(clips, 4, "s", whole_dialogues=True), clips)
    assert ["F4", "M4", "M5"] in dealt.values() and ["F1", "M1"] in dealt.values()
    with pytest.raises(ValueError, match=r"s\.folds is 5, but there are 4 groups of speakers who share dialogues"):
        deal.deal(clips, 5, "s", whole_dialogues=True)
    assert len(members(deal.deal(clips, 9, "s", whole_dialogues=False), clips)) == 9


def test_too_few_speakers_are_refused():
    with pytest.raises(ValueError, match=r"manifest\.emotion\.folds is 6, but there are 5 speakers; lower it"):
        deal.deal(ravdess(range(1, 6)), 6, "manifest.emotion", whole_dialogues=False)
    with pytest.raises(ValueError, match="folds is 2; testing, validating and training take three or more"):
        AffectParams(split="speakers", folds=2, deal=0)


@settings(deadline=None, derandomize=True, database=None)
@given(
    count=st.integers(3, 8),
    speakers=st.lists(
        st.tuples(st.integers(1, 200), st.sampled_from(["male", "female", None])), min_size=8, max_size=40
    ),
)
def test_any_corpus_is_dealt_evenly(count, speakers):
    clips = [
        clip(f"{number}-{i}", f"S{number:03}", gender)
        for number, (size, gender) in enumerate(speakers)
        for i in range(size)
    ]
    part_of = deal.deal(clips, count, "s", whole_dialogues=False)
    assert part_of.keys() == {one.id for one in clips}
    home = {one.speaker: part_of[one.id] for one in clips}
    assert all(part_of[one.id] == home[one.speaker] for one in clips)
    assert set(part_of.values()) <= set(map(str, range(1, count + 1)))
    for gender in ("male", "female", None):
        dealt = Counter(home[one.speaker] for one in clips if one.gender == gender and one.id.endswith("-0"))
        sizes = [dealt[str(fold)] for fold in range(1, count + 1)]
        assert max(sizes) - min(sizes) <= 1


def test_given_splits_must_be_stated_and_of_one_kind():
    emotion = emotion_params(split="given")
    parts = ["train", "val", "test", "train"]
    clips = [clip(str(i), f"S{i}", part=part) for i, part in enumerate(parts)]
    assert list(splits.assign("emotion", clips, emotion, 0).values()) == parts
    with pytest.raises(ValueError, match=r"states none for 1 of 5 clips \(9\)"):
        splits.assign("emotion", [*clips, clip("9", "S9")], emotion, 0)
    with pytest.raises(ValueError, match="mixes train, val, test with numbers"):
        splits.assign("emotion", [*clips, clip("9", "S9", part="2")], emotion, 0)
    with pytest.raises(ValueError, match=r"manifest\.emotion\.split is given and leaves test empty; choose another"):
        splits.assign("emotion", clips[:2], emotion, 0)


def test_given_splits_of_the_affect_role_are_folds():
    affect = AffectParams(split="given", folds=5, deal=0)
    parts = [clip(str(i), f"S{i}", part=part) for i, part in enumerate(("train", "val", "test"))]
    with pytest.raises(
        ValueError, match=r"manifest\.affect\.split is given and gives train, val and test, .* use speakers"
    ):
        splits.assign("affect", parts, affect, 0)
    folds = [clip(str(i), f"S{i}", part=str(1 + i)) for i in range(3)]
    assert list(splits.assign("affect", folds, affect, 0).values()) == ["1", "2", "3"]
    with pytest.raises(ValueError, match="puts speaker S0 into 1 and 3"):
        splits.assign("affect", [*folds, clip("9", "S0", part="3")], affect, 0)


def test_another_number_deals_other_folds_of_the_same_balance():
    clips = ravdess()
    dealt = [members(deal.deal(clips, 6, "s", whole_dialogues=False, number=n), clips) for n in range(4)]
    for folds in dealt:  # two men and two women each
        assert [sorted(int(name[-2:]) % 2 for name in names) for names in folds.values()] == [[0, 0, 1, 1]] * 6
    assert len({str(folds) for folds in dealt}) == 4
    assert dealt[2] == members(deal.deal(clips[::-1], 6, "s", whole_dialogues=False, number=2), clips)
    with pytest.raises(ValueError, match="deal is -1; give 0"):
        emotion_params(deal=-1)
