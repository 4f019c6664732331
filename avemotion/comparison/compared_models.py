"""The models whose predictions can be compared, and the stages that write them."""

MODELS = (
    "fusion",
    "pretrain_audio",
    "pretrain_video",
)  # fusion includes valence and arousal, because va uses its embedding
BASELINE = "baseline"  # of both roles; no row of a grid, for no param of a model changes it
FACE = "pretrain_face"  # of stills: compared across corpora alone
RATED = ("fusion", BASELINE)  # models with valence and arousal


def stages(model: str, *, affect: bool) -> list[str]:
    """Folders below data/models with the predictions of a model, emotion first."""
    emotion, rated = ("baseline/emotion", "baseline/affect") if model == BASELINE else (model, "va")
    return [emotion, rated] if affect else [emotion]


def role(stage: str) -> str:
    """The role of a stage's predictions."""
    if stage == FACE:
        return "faces"
    return "affect" if stage in ("va", "baseline/affect") else "emotion"
