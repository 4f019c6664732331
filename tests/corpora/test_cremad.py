"""CREMA-D: names, levels, git-lfs pointers, flv."""

import numpy as np
import pytest
from corpus_trees import LFS_POINTER, by_id, film, reasons, touch, wav

from avemotion.corpora import cremad
from avemotion.manifest.probe import POINTER_FAULT, probe
from avemotion.media.pictures import read_frames

ACTED = cremad.Params(labels="acted", raters="both")
VOTES = """"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"
"100001",0,0,0,1,7,0,"1001_IEO_ANG_HI",8,0.875,"N"
"200001",5,0,0,0,5,0,"1001_IEO_ANG_HI",10,0.5,"A:N"
"300001",8,0,0,1,1,0,"1001_IEO_ANG_HI",10,0.8,"A"
"300002",0,0,0,9,0,0,"1002_DFA_NEU_XX",9,1,"H"
"""


def rated(root, labels, raters, votes=VOTES):
    touch(root, "AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1002_DFA_NEU_XX.wav")
    (root / "processedResults").mkdir(exist_ok=True)
    (root / "processedResults/tabulatedVotes.csv").write_text(votes)
    return by_id(cremad.list_clips(root, cremad.Params(labels=labels, raters=raters))[0]).values()


def test_acted_and_perceived_emotions(tmp_path):
    acted, other = rated(tmp_path, "acted", "voice")
    assert (acted.emotion, acted.votes) == ("angry", {"neutral": 7, "happy": 1})
    assert (other.emotion, other.votes) == ("neutral", None)  # nobody rated its voice
    perceived = {raters: [clip.emotion for clip in rated(tmp_path, "perceived", raters)] for raters in cremad.ROWS}
    assert perceived == {"voice": ["neutral", None], "face": [None, None], "both": ["angry", "happy"]}  # face: a tie


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("10,0.8", "11,0.8"), "tabulatedVotes.csv row 4: 1001_IEO_ANG_HI has 10 votes, but numResponses is 11; fetch"),
        (("8,0,0,1,1,0", "8,0,0,x,1,0"), "tabulatedVotes.csv row 4: invalid literal"),
        (('"fileName"', '"name"'), "no column fileName"),
    ],
)
def test_votes_that_do_not_sum_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        rated(tmp_path, "acted", "both", VOTES.replace(*change))


def test_perceived_labels_need_votes(tmp_path):
    touch(tmp_path, "AudioWAV/1001_IEO_ANG_HI.wav")
    with pytest.raises(ValueError, match=r"tabulatedVotes.csv: no such file, but manifest.cremad.labels is perceived"):
        cremad.list_clips(tmp_path, cremad.Params(labels="perceived", raters="voice"))


def test_names_are_read(tmp_path):
    touch(tmp_path, "AudioWAV/1001_IEO_ANG_HI.wav", "AudioWAV/1076_MTI_SAD_XX.wav", "AudioMP3/1001_IEO_ANG_HI.mp3")
    touch(
        tmp_path, "VideoFlash/1001_IEO_ANG_HI.flv", "VideoFlash/1002_DFA_NEU_XX.flv", "VideoFlash/._1001_IEO_ANG_HI.flv"
    )
    (tmp_path / "VideoDemographics.csv").write_bytes(
        b"\xef\xbb\xbfActorID,Age,Sex,Race,Ethnicity\r\n1001,51,Male,Caucasian,Not Hispanic\r\n1002,21,Female,x,y\r\n"
    )
    clips, rejects = cremad.list_clips(tmp_path, ACTED)
    angry, neutral, sad = by_id(clips).values()
    assert (angry.id, angry.speaker, angry.gender, angry.emotion) == ("1001_IEO_ANG_HI", "1001", "male", "angry")
    assert (angry.statement, angry.intensity, angry.text) == ("IEO", "high", "It's eleven o'clock")
    assert (angry.audio, angry.video) == ("AudioWAV/1001_IEO_ANG_HI.wav", "VideoFlash/1001_IEO_ANG_HI.flv")
    assert (neutral.gender, neutral.intensity, neutral.audio) == ("female", None, None)
    assert (sad.gender, sad.video) == (None, None)
    assert reasons(rejects) == {
        "AudioWAV/1002_DFA_NEU_XX.wav": "missing: picture only",
        "VideoFlash/1076_MTI_SAD_XX.flv": "missing: sound only",
    }


def test_doubles_and_foreign_names_are_listed(tmp_path):
    touch(tmp_path, "AudioWAV/1001_IEO_ANG_HI.wav", "copy/AudioWAV/1001_IEO_ANG_HI.wav")
    touch(tmp_path, "AudioWAV/1001_IEO_JOY_HI.wav", "AudioWAV/1001_IEO_ANG_HI (1).wav", "AudioWAV/1001_XYZ_ANG_HI.wav")
    clips, rejects = cremad.list_clips(tmp_path, ACTED)
    assert [clip.audio for clip in clips] == ["AudioWAV/1001_IEO_ANG_HI.wav"]
    scheme = "name is not actor_sentence_emotion_level, such as 1001_IEO_ANG_HI"
    assert reasons(rejects) == {
        "AudioWAV/1001_IEO_ANG_HI (1).wav": scheme,
        "AudioWAV/1001_IEO_JOY_HI.wav": scheme,
        "AudioWAV/1001_XYZ_ANG_HI.wav": scheme,
        "VideoFlash/*.flv": "none of 1 expected files VideoFlash/*.flv exists: sound only",
        "copy/AudioWAV/1001_IEO_ANG_HI.wav": "double: the name is used by AudioWAV/1001_IEO_ANG_HI.wav",
    }


def test_the_overlong_recording_is_listed(tmp_path):
    touch(tmp_path, "AudioWAV/1064_IEO_DIS_MD.wav", "VideoFlash/1064_IEO_DIS_MD.flv")
    touch(tmp_path, "AudioWAV/1064_IEO_DIS_HI.wav", "VideoFlash/1064_IEO_DIS_HI.flv")
    clips, rejects = cremad.list_clips(tmp_path, ACTED)
    assert [clip.id for clip in clips] == ["1064_IEO_DIS_HI"]
    assert reasons(rejects) == {
        "AudioWAV/1064_IEO_DIS_MD.wav": "runs for a minute after the sentence, as published",
    }
    assert sum(reject.lost for reject in rejects) == 1


def test_damaged_demographics_are_named(tmp_path):
    (tmp_path / "VideoDemographics.csv").write_text("ActorID;Sex\n1001;Male\n")
    with pytest.raises(ValueError, match=r"VideoDemographics\.csv: no column ActorID, Sex; .*separate the columns"):
        cremad.list_clips(tmp_path, ACTED)


def test_pointers_and_silence_are_told_from_media(tmp_path):
    pointer = tmp_path / "a.flv"
    pointer.write_text(LFS_POINTER)
    assert probe((pointer, "video")).fault == probe((pointer, "audio")).fault == POINTER_FAULT
    assert "git lfs pull" in POINTER_FAULT
    assert probe((wav(tmp_path / "b.wav", 1), "audio")).fault is None


def test_flash_films_give_picture_and_sound(tmp_path):
    file = film(tmp_path / "a.flv", 200, seconds=1.0)
    seen, heard = probe((file, "video")), probe((file, "audio"))
    assert seen.fault is heard.fault is None
    assert seen.duration == pytest.approx(1, abs=0.15) and heard.duration == pytest.approx(1, abs=0.15)
    frames, times = read_frames(file, 4)
    assert np.abs(frames.astype(int) - 200).max() < 12 and (np.diff(times) > 0).all()
    assert (
        probe((film(tmp_path / "silent.flv", 1, sound=False), "audio")).fault
        == "cannot be read as sound: no sound track"
    )


def test_counts_of_a_whole_copy():
    whole = cremad.whole(ACTED)
    assert whole.clips == sum(whole.groups["emotion"].values()) == 7442
