"""The models whose predictions can be compared."""

MODELS = ("fusion", "pretrain_audio", "pretrain_video")  # valence and arousal belong to fusion, on which va builds
