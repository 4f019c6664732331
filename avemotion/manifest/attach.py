"""Joins clips with the results of probing their files."""

from pathlib import Path

from avemotion.formats.clips import ClipMedia
from avemotion.manifest.probe import Media, Unit
from avemotion.parsing.clip import Clip, Reject

PRECEDENCE = {"test": 0, "val": 1}  # parts whose stills are kept where several parts have the same one


def attach(
    root: Path, clips: list[Clip], probed: dict[Unit, Media], *, uniform: bool
) -> tuple[list[ClipMedia], list[Reject], int]:
    """Join clips with their media, without unusable files.

    A clip that loses one of its files is kept with the other one. If two files have the same samples or pixels, they
    are the same recording, and the later clip loses its sound, or its still picture. Of stills the copy in the corpus's
    own test part stays, then that in its validation part, so that no tested picture is trained on. A picture given up
    for its copy is no damage.

    Args:
        probed: results by file (root / path) and kind.
        uniform: True: each clip should have every kind of media that any clip has; False: those that its row names.

    Returns:
        clips with a usable file; one reject per unusable file; number of damaged clips: lost, or without an expected
        sound or picture.
    """
    kept, rejects, damaged = [], set(), 0
    first_with: dict[str, str] = {}
    copies = _copies(root, clips, probed)
    all_kinds = any(clip.audio for clip in clips), any(clip.video for clip in clips)
    for clip in sorted(clips, key=lambda clip: clip.id):
        audio = probed[root / clip.audio, "audio"] if clip.audio else None
        video = probed[root / clip.video, "video"] if clip.video else None
        faults = {"audio": audio and audio.fault, "video": video and (video.fault or _outside(clip, video))}
        if audio and not audio.fault and first_with.setdefault(audio.content, clip.audio) != clip.audio:
            faults["audio"] = f"the same samples as another clip: {first_with[audio.content]}"
        if clip.id in copies:
            faults["video"] = f"the same picture as another clip: {copies[clip.id]}"
        for path, fault in ((clip.audio, faults["audio"]), (clip.video, faults["video"])):
            if fault:
                rejects.add(Reject(path, fault))
        media = _media(clip, None if faults["audio"] else audio, None if faults["video"] else video)
        expected = all_kinds if uniform else (bool(clip.audio), bool(clip.video))
        damaged += (bool(media and media.audio), clip.id in copies or bool(media and media.video)) != expected
        if media:
            kept.append(media)
    return kept, sorted(rejects, key=lambda reject: (reject.path, reject.reason)), damaged


def _copies(root: Path, clips: list[Clip], probed: dict[Unit, Media]) -> dict[str, str]:
    """Clip id -> the path of the same still picture in a clip that keeps it."""
    first: dict[str, str] = {}
    copies = {}
    for clip in sorted(clips, key=lambda clip: (PRECEDENCE.get(clip.part or "", len(PRECEDENCE)), clip.id)):
        content = probed[root / clip.video, "video"].content if clip.video else ""
        if content and first.setdefault(content, clip.video) != clip.video:
            copies[clip.id] = first[content]
    return copies


def _outside(clip: Clip, video: Media) -> str | None:
    if clip.video_start is not None and clip.video_start >= video.duration:
        return f"turn begins after the picture ends: {clip.id}, {clip.video_start} s of {video.duration} s"
    return None


def _media(clip: Clip, audio: Media | None, video: Media | None) -> ClipMedia | None:
    if not audio and not video:
        return None
    duration = audio.duration if audio else video.duration
    if not audio and clip.video_start is not None:
        duration = round(min(clip.video_end, video.duration) - clip.video_start, 6)
    return ClipMedia(
        id=clip.id,
        audio=clip.audio if audio else None,
        video=clip.video if video else None,
        video_start=clip.video_start if video else None,
        video_end=clip.video_end if video else None,
        video_crop=clip.video_crop if video else None,
        duration=duration,
        audio_hash=audio.hash if audio else None,
        video_hash=video.hash if video else None,
    )
