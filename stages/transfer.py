"""Stage transfer: scores the models of this run on another corpus, without training.

The corpus is one of corpora.transfer. Every model of the run that takes its sound or its pictures predicts all of its
clips. It writes clips and predictions to data/transfer/<title>, scores to metrics/transfer/<title>.json and confusion
matrices to plots/transfer/<title>. Features stay in data/work/transfer, so a killed run resumes.
"""

from pathlib import Path

from avemotion.params.transfer import Config, configure, titles
from avemotion.system import cli

OUT, METRICS, PLOTS = Path("data/transfer"), Path("metrics/transfer"), Path("plots/transfer")
WORK, UNUSED = Path("data/work/transfer"), Path("tmp/transfer")


def transfer(config: Config) -> None:
    """Score every model of the run on one target."""
    from avemotion.scoring import summaries
    from avemotion.system import runtime, tables
    from avemotion.system.outputs import alone, whole_folder
    from avemotion.transfer import rated_turns, run_models, target_corpus, target_predictions, target_scores
    from avemotion.transfer.target_caches import TargetCaches

    title, work = config.title, WORK / config.title
    device = runtime.setup(config.seed, config.compute)
    models = run_models.load(device)
    run_models.refuse_unknown_classes(models, config)
    wanted = target_corpus.wanted(config, categories=bool(models), ratings=rated_turns.trained() is not None)
    with (
        alone(f"transfer {title}", work / "lock"),
        whole_folder(OUT / title) as folder,
        whole_folder(PLOTS / title) as plots,
    ):
        target = target_corpus.read(config, wanted, work, UNUSED / title / "rejected.csv")
        facts = target_corpus.write(folder, target)
        print(target_corpus.in_words(title, target, facts), flush=True)
        clips, features = target_corpus.labelled(folder), TargetCaches(config, target.media, work)
        predicted, reasons = target_predictions.predict_all(models, clips, features, device)
        rated = None
        try:
            rated = rated_turns.predict(clips, facts.scale, features, device)
            tables.write_results(folder / rated_turns.STAGE / "predictions.csv", rated.table)
        except target_predictions.NotScoredError as error:
            reasons[rated_turns.STAGE] = str(error)
        if not predicted and rated is None:
            target_scores.refuse_nothing(config.key, reasons)
        for stage, of in predicted.items():
            tables.write_results(folder / stage / "predictions.csv", of.table)
            tables.write_csv(plots / f"{stage}.csv", of.table[["label", "predicted"]])
        scores = target_scores.all_scores(predicted, rated, facts, config.evaluate, config.seed)
        tables.write_text(folder / "scores.json", summaries.text(target_scores.all_details(predicted, rated, reasons)))
        tables.write_text(METRICS / f"{title}.json", summaries.text(scores))
        print(target_scores.in_words(scores, reasons))
        features.drop_others()


def main() -> None:
    parser = cli.parser(__doc__)
    parser.add_argument("--target", metavar="TITLE", help="key in corpora.transfer; none = all")
    arguments = parser.parse_args()
    chosen = [arguments.target] if arguments.target else titles(arguments.params)
    if not chosen:
        print("corpora.transfer names no corpus, so there is nothing to score")
    for title in chosen:
        transfer(configure(arguments.params, title))


if __name__ == "__main__":
    cli.run(main, memory="compute.workers")
