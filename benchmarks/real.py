"""Scores on recordings of people, by the stages themselves: python -m benchmarks.real --out FOLDER --ravdess DIR ...

    faces      films of people, folds of two speakers: preset films, with a face encoder trained on stills (minutes)
    fusion     the same films: sound that starts from a model of part sound, picture, and every mode of fusion
    affect     RAVDESS speech with places on the circumplex: whether the chain of valence and arousal learns; no result
    sound      RAVDESS speech, folds luna_jimenez: preset ravdess_sound, with and without the baseline (an hour)
    ablations  one change at a time of the presets, on validation; hours, so only if named

A part writes FOLDER/<part>.md and keeps what it has trained below FOLDER/<part>, so that a second call goes on where
the first one stopped. Settings are chosen on validation; only the final recipe is scored on test.
"""

import argparse
from pathlib import Path
from types import ModuleType

from benchmarks import real_ablations, real_affect, real_faces, real_fusion, real_sound

# NEEDS: the options that name its corpora; measure(options, folder) -> Markdown
PARTS: dict[str, ModuleType] = {
    "sound": real_sound,
    "faces": real_faces,
    "fusion": real_fusion,
    "affect": real_affect,
    "ablations": real_ablations,
}
USUAL = ("sound", "faces", "fusion", "affect")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; none = {', '.join(USUAL)}")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables and of the trained models; kept")
    parser.add_argument("--ravdess", type=Path, help="folder of RAVDESS speech")
    parser.add_argument("--films", type=Path, help="folder of films of people, a csv corpus")
    parser.add_argument("--stills", type=Path, help="folder of labelled stills of faces")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of a final recipe, seeds 0 and up")
    parser.add_argument("--workers", type=int, default=1, help="trainings side by side, each on one thread")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"PART is {part!r}; choose from {', '.join(PARTS)}")
    for part in options.parts or USUAL:
        missing = [name for name in PARTS[part].NEEDS if getattr(options, name) is None]
        if missing:
            parser.error(f"part {part} needs {', '.join(f'--{name}' for name in missing)}")
        text = PARTS[part].measure(options, options.out / part)
        (options.out / f"{part}.md").write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
