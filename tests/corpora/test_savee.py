"""SAVEE: the same names in every speaker's folder."""

from corpus_trees import by_id, reasons, touch

from avemotion.corpora import savee


def test_names_clash_across_folders_but_ids_do_not(tmp_path):
    touch(
        tmp_path, "AudioData/DC/a01.wav", "AudioData/KL/a01.wav", "AudioVisualClip/DC/a01.avi", "AudioData/JE/sa03.wav"
    )
    clips, rejects = savee.list_clips(tmp_path, None)
    found = by_id(clips)
    assert list(found) == ["DC_a01", "JE_sa03", "KL_a01"]
    first = found["DC_a01"]
    assert (first.audio, first.video) == ("AudioData/DC/a01.wav", "AudioVisualClip/DC/a01.avi")
    assert (first.speaker, first.gender, first.emotion) == ("DC", "male", "angry")
    assert [found[name].emotion for name in ("JE_sa03", "KL_a01")] == ["sad", "angry"]
    assert reasons(rejects) == {"JE/sa03.avi": "missing: sound only", "KL/a01.avi": "missing: sound only"}


def test_flat_copies_name_the_speaker(tmp_path):
    touch(
        tmp_path,
        *(f"ALL/JK_{name}01.wav" for name in ("a", "d", "f", "h", "n", "sa", "su")),
        "ALL/a01.wav",
        "ALL/XX_a01.wav",
    )
    clips, rejects = savee.list_clips(tmp_path, None)
    assert [clip.emotion for clip in clips] == ["angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"]
    assert reasons(rejects) == {
        "*/*.avi": "none of 7 expected files */*.avi exists: sound only",
        "ALL/XX_a01.wav": "name is not that of a speaker's clip, such as DC/a01 or DC_a01",
        "ALL/a01.wav": "name is not that of a speaker's clip, such as DC/a01 or DC_a01",
    }


def test_counts_of_a_whole_copy():
    whole = savee.whole(None)
    assert whole.clips == sum(whole.groups["emotion"].values()) == sum(whole.groups["speaker"].values()) == 480
