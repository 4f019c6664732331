"""Stage baseline: predicts emotion, or valence, arousal and dominance, from functionals of prosody with scikit-learn.

It fits support vector machines and linear models on the training clips and chooses one on the validation clips, in
seconds on a CPU. With folds it fits one per fold. Its scores stand beside those of the trained models. A model that
does not beat them has learned nothing that statistics of the voice do not show.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from avemotion.params.baseline import Config, configure
from avemotion.params.shared.corpora import ROLES
from avemotion.system import cli

if TYPE_CHECKING:
    from avemotion.training.common.folds import Fold

OUT = Path("data/models/baseline")
WORK = Path("data/work")


def fit(config: Config, role: str, fold: "Fold | None", folder: Path) -> None:
    """Fit and predict one split of a role; writes all results into folder."""
    from threadpoolctl import threadpool_limits

    from avemotion.training.baseline import fits

    with threadpool_limits(limits=1):  # another number of threads may change the last bit of a sum
        getattr(fits, role)(config, fold, folder)


def run(config: Config, role: str) -> None:
    """All models of a role; only a reason where the role has no corpus or no sound."""
    from avemotion.formats import labels
    from avemotion.system.outputs import alone, leave_reason, whole_folder
    from avemotion.system.source_code import source_digest
    from avemotion.training.baseline import functionals
    from avemotion.training.common import folds

    facts, out = labels.read_facts(role), OUT / role
    with alone(f"baseline {role}", WORK / f"locks/baseline_{role}"):
        if facts.absent:
            leave_reason(out, f"corpora.{role} names no corpus, so there is nothing to fit")
            return
        if functionals.silent(role):
            leave_reason(out, f"no clip of corpora.{role} has sound, and the baseline uses nothing else")
            return
        if not facts.folds:
            with whole_folder(out) as folder:
                fit(config, role, None, folder)
            return
        depends = [Path("data/manifest") / role, Path("data/features/prosody") / role / "index.json"]
        key = folds.key_of([config.baseline, config.targets, source_digest("stages.baseline")], depends)
        work = WORK / f"baseline_{role}"
        folds.train_all(partial(fit, config, role), folds.plan(facts), key, work, out, config.compute)


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--role", choices=ROLES, help="emotion or affect; none = both")
    arguments = parser.parse_args()
    config = configure(arguments.params)
    for role in [arguments.role] if arguments.role else ROLES:
        run(config, role)


if __name__ == "__main__":
    cli.run(main)
