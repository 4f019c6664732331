"""Whatever a label file holds ends as clips, rejects or one ValueError."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus_trees import HEADER, RATERS, ravdess_ids, touch, turn_line
from hypothesis import given, settings
from hypothesis import strategies as st

from avemotion.corpora import cremad, csv, iemocap, msp_podcast
from avemotion.formats import labels
from avemotion.parsing import registry
from avemotion.parsing.clip import Clip

SESSION = "Session1/dialog"
TURNS = HEADER + "".join(turn_line(f"Ses01F_impro01_F00{i}", i, i + 1) + RATERS for i in range(3))
PODCAST = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\na.wav,N,1,2,3,7,Male,Train\n"
PODCAST_JSON = '{"a.wav": {"EmoClass": "N", "EmoAct": 1.5, "EmoVal": "2", "SpkrID": 7, "Split_Set": "Test1"}}'
MELD = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID,StartTime,EndTime\nHi,Ross,joy,0,0,0:0:1,5,0:0:2\n"
IMPROV = "UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:3.0; V:2.5; D:NaN ; N:4.0;\nW1; Neutral; ; A:3; V:3; D:3; N:3;\n"
OWN = (
    "id,audio,emotion,valence,arousal,speaker,dialogue,start,end,split,votes\na,a.wav,happy,3,2,S,d,0,1,train,happy 2\n"
)
IMPROVISED = iemocap.Params(parts=["impro"], wearer_side="left")
ACTED = cremad.Params(labels="acted", raters="both")
PERCEIVED = cremad.Params(labels="perceived", raters="voice")
VOTES = '"","A","D","F","H","N","S","fileName","numResponses"\n"100001",0,0,0,1,7,0,"1001_IEO_ANG_HI",8\n'
TEST1 = msp_podcast.Params(tests=["Test1"])
SCALED = csv.Params(table="clips.csv", scale=[1.0, 5.0], cut_video=False)
FILES = [  # corpus, options, label file, a valid one
    ("iemocap", IMPROVISED, f"{SESSION}/EmoEvaluation/Ses01F_impro01.txt", TURNS),
    ("iemocap", IMPROVISED, f"{SESSION}/transcriptions/Ses01F_impro01.txt", "Ses01F_impro01_F000 [0.1-0.2]: a"),
    ("msp_podcast", TEST1, "Labels/labels_consensus.csv", PODCAST),
    ("msp_podcast", TEST1, "Labels/labels_consensus.json", PODCAST_JSON),
    ("msp_improv", None, "Evaluation.txt", IMPROV),
    ("meld", None, "train_sent_emo.csv", MELD),
    ("cremad", ACTED, "VideoDemographics.csv", "ActorID,Age,Sex\n1001,51,Male\n"),
    ("cremad", PERCEIVED, "processedResults/tabulatedVotes.csv", VOTES),
    ("csv", SCALED, "clips.csv", OWN),
]
MEDIA = {
    "iemocap": [f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F00{i}.wav" for i in range(3)],
    "msp_podcast": ["Audios/a.wav"],
    "msp_improv": ["session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav"],
    "meld": ["train_splits/dia0_utt0.mp4"],
    "cremad": ["AudioWAV/1001_IEO_ANG_HI.wav"],
    "csv": ["a.wav"],
}
PATCHES = (b",", b"\n", b'"', b"\0", b"nan", b"1e999", b"9" * 400, "\u0663".encode())


@st.composite
def damaged(draw: Callable, valid: bytes) -> bytes:
    """A valid file with a few stretches replaced by anything, or anything at all."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=300))
    content = valid * draw(st.integers(1, 2))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 12))
        patch = draw(st.one_of(st.binary(max_size=12), st.sampled_from(PATCHES)))
        content = content[:start] + patch + content[start + length :]
    return content


@pytest.mark.parametrize(("name", "options", "file", "valid"), FILES, ids=[file[2] for file in FILES])
def test_label_files(tmp_path_factory, name, options, file, valid):
    root = tmp_path_factory.mktemp(name)
    if name == "meld":
        for part in ("dev", "test"):
            (root / f"{part}_sent_emo.csv").write_text(MELD.splitlines()[0])
    if name == "iemocap":
        (root / SESSION / "EmoEvaluation").mkdir(parents=True)
        (root / SESSION / "EmoEvaluation/Ses01F_impro01.txt").write_bytes(TURNS.encode("latin-1"))
    touch(root, file, *MEDIA[name])

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(damaged(valid.encode("latin-1")))
    def check(content: bytes) -> None:
        (root / file).write_bytes(content)
        try:
            clips, rejects = registry.corpus(name).list_clips(root, options)
        except ValueError as error:
            assert str(error) and root.name in str(error)
            return
        assert all(reject.path and reject.reason for reject in rejects)
        is_sound(clips, root / "written")

    check()


def is_sound(clips: list[Clip], folder: Path) -> None:
    """Ids are unique file names, numbers are finite, and labels.csv gives back what was written."""
    assert [clip.id for clip in clips] == sorted({clip.id for clip in clips})
    for clip in clips:
        assert clip.id and "/" not in clip.id and clip.speaker and (clip.audio or clip.video)
        for value in (clip.valence, clip.arousal, clip.dominance, clip.start, clip.end):
            assert value is None or math.isfinite(value)
        assert clip.votes is None or all(0 < count < math.inf for count in clip.votes.values())
    facts = labels.CorpusFacts(
        corpus="x", role="affect", synthetic=True, classes=[], scale=None, split="", speaker_overlap=False,
        clips=0, speakers=0, rejected=0, folds=[],
    )  # fmt: skip
    labels.write("affect", [vars(clip) | {"label": clip.emotion, "split": "1"} for clip in clips], facts, folder)
    table = labels.read("affect", folder)
    assert list(table.id) == [clip.id for clip in clips]
    assert list(table.speaker) == [clip.speaker for clip in clips]
    assert list(table.text) == [clip.text for clip in clips]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=40))
def test_any_file_name_is_a_clip_or_a_reject(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("names")
    touch(root, f"03-{ravdess_ids([1], [1])[0]}.wav")
    try:
        touch(root, f"{name}.wav")
    except (OSError, UnicodeError):  # not a name on this file system
        return
    speech = registry.corpus("ravdess").params(channels=["speech"])
    for corpus, options in (("ravdess", speech), ("cremad", ACTED), ("savee", None)):
        clips, rejects = registry.corpus(corpus).list_clips(root, options)
        listed = {clip.audio for clip in clips} | {reject.path for reject in rejects}
        assert f"{name}.wav" in listed or name.startswith(".")
        is_sound(clips, root / "written")
