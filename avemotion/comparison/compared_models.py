"""The models whose predictions can be compared."""

MODELS = (
    "fusion",
    "pretrain_audio",
    "pretrain_video",
)  # fusion includes valence and arousal, because va uses its embedding
