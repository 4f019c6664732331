"""IEMOCAP, leave one speaker out: one speaker of a session tests, the other validates, four sessions train.

The test speaker's partner is in no training clip, so no dialogue is both trained on and tested.
"""

CORPUS = "iemocap"
SOURCE = "the five sessions of two speakers of Busso et al., Language Resources and Evaluation 42, 2008"
FOLDS = {
    1: ["Ses01F"],
    2: ["Ses01M"],
    3: ["Ses02F"],
    4: ["Ses02M"],
    5: ["Ses03F"],
    6: ["Ses03M"],
    7: ["Ses04F"],
    8: ["Ses04M"],
    9: ["Ses05F"],
    10: ["Ses05M"],
}
VALIDATES = {1: 2, 2: 1, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7, 9: 10, 10: 9}
