"""SAVEE in the four folds of EmoBox, one speaker each; the next fold validates."""

CORPUS = "savee"
SOURCE = "EmoBox (Ma et al., Interspeech 2024, arXiv:2406.07162), data/savee/fold_*"
FOLDS = {1: ["JE"], 2: ["KL"], 3: ["DC"], 4: ["JK"]}
