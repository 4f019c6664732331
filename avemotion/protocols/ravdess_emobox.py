"""RAVDESS in the six folds of EmoBox; the lists have no validation speakers, so the next fold validates."""

CORPUS = "ravdess"
SOURCE = "EmoBox (Ma et al., Interspeech 2024, arXiv:2406.07162), data/ravdess/fold_*"
FOLDS = {
    1: [1, 11, 20, 21],
    2: [4, 10, 12, 14],
    3: [8, 9, 19, 23],
    4: [3, 5, 7, 24],
    5: [2, 15, 16, 18],
    6: [6, 13, 17, 22],
}
