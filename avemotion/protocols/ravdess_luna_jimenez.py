"""RAVDESS in five folds of speakers (Luna-Jiménez et al. 2021); published scores are means over their test folds."""

CORPUS = "ravdess"
SOURCE = "Luna-Jiménez et al., Sensors 21(22):7665, 2021, doi:10.3390/s21227665"
FOLDS = {
    1: [2, 5, 14, 15, 16],
    2: [3, 6, 7, 13, 18],
    3: [10, 11, 12, 19, 20],
    4: [8, 17, 21, 23, 24],
    5: [1, 4, 9, 22],
}
