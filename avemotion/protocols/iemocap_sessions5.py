"""IEMOCAP, leave one session out: five folds of two speakers, as in most papers and in EmoBox."""

CORPUS = "iemocap"
SOURCE = "EmoBox (Ma et al., Interspeech 2024, arXiv:2406.07162), data/iemocap/fold_*"
FOLDS = {
    1: ["Ses01F", "Ses01M"],
    2: ["Ses02F", "Ses02M"],
    3: ["Ses03F", "Ses03M"],
    4: ["Ses04F", "Ses04M"],
    5: ["Ses05F", "Ses05M"],
}
