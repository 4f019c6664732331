"""What a sweep expects: stages that re-run, stages that a dvc.lock proves, and time, against values by hand."""

import pytest
import yaml

from avemotion.sweep import plan, recorded_runs, stage_seconds
from avemotion.sweep.stage_graph import Graph, identities

DVC = """
stages:
  check: {cmd: check, deps: [params.yaml, code], outs: [out/check]}
  data: {cmd: data, deps: [code, out/check, "${root}"], params: [root], outs: [out/data]}
  train:
    matrix: {kind: [a, b]}
    cmd: "train ${item.kind}"
    deps: [out/data/table.csv]
    params: ["train.${item.kind}", seed]
    outs: ["out/${item.kind}"]
  score: {cmd: score, deps: [out/a], params: [score], outs: [score.json: {cache: false}]}
"""
PARAMS = {"root": "corpus", "seed": 0, "score": 1, "train": {"a": {"lr": 5e-6}, "b": {"lr": 1}}}


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    folder = tmp_path_factory.mktemp("graph") / "project"
    folder.mkdir()
    return Graph({"dvc.yaml": DVC}, [], folder)


@pytest.fixture(scope="module")
def stages(graph):
    return graph.stages(PARAMS)


def test_stages_as_dvc_resolves_them(graph, stages, tmp_path):
    assert list(stages) == ["check", "data", "train@a", "train@b", "score"]
    train = stages["train@a"]
    assert (train.cmd, train.lock, train.upstream) == ("train a", ("dvc.lock", "train@a"), ("data",))
    assert (train.sources, train.inputs) == ({"out/data/table.csv": "out/data/table.csv"}, {})
    assert train.params == ("seed", "train.a") and not train.whole and stages["check"].whole
    assert stages["data"].inputs == {"code": "code", "corpus": "corpus"}
    assert stages["score"].cached == () and stages["train@b"].cached == ("out/b",)
    assert graph.stages(PARAMS | {"root": "/elsewhere"})["data"].inputs == {"code": "code", "/elsewhere": "/elsewhere"}
    assert graph.stages(PARAMS | {"seed": 9}) is stages  # nothing that dvc.yaml interpolates
    (tmp_path / "project").mkdir()
    assert list(Graph({"dvc.yaml": DVC}, ["train@b"], tmp_path / "project").stages(PARAMS)) == [
        "check", "data", "train@b",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"\.\./corpus lies outside the project; name it by its absolute path"):
        graph.stages(PARAMS | {"root": "../corpus"})


def rerun(stages, **changes) -> set[str]:
    before, after = identities(stages, PARAMS), identities(stages, PARAMS | changes)
    return {name for name in stages if before[name] != after[name]}


def test_a_change_reruns_what_reads_it_and_what_follows(stages):
    assert rerun(stages, score=2) == {"check", "score"}  # check runs for each change and passes none on
    assert rerun(stages, train={"a": {"lr": 1}, "b": {"lr": 1}}) == {"check", "train@a", "score"}
    assert rerun(stages, root="other") == {"check", "data", "train@a", "train@b", "score"}
    assert rerun(stages) == set()


class Contents:
    """Inputs code and corpus; a cache that has every output, and one file of the folder out/data."""

    def __init__(self, absent: str = ""):
        self.absent = absent

    def hash_of(self, path: str) -> str | None:
        return {"code": "c0", "corpus": "c1"}.get(path)

    def has(self, hash_: str) -> bool:
        return hash_ != self.absent

    def within(self, hash_: str, inner: str) -> str | None:
        return {("d.dir", "table.csv"): "t"}.get((hash_, inner))


def lock() -> dict:
    def entry(cmd, deps, params, outs):
        listed = [[{"path": path, "hash": "md5", "md5": md5} for path, md5 in part.items()] for part in (deps, outs)]
        return {"cmd": cmd, "deps": listed[0], "params": {"params.yaml": params}, "outs": listed[1]}

    return {
        "check": entry("check", {"params.yaml": "p", "code": "c0"}, {}, {"out/check": "k.dir"}),
        "data": entry("data", {"code": "c0", "out/check": "k.dir", "corpus": "c1"}, {"root": "corpus"},
                      {"out/data": "d.dir"}),
        "train@a": entry("train a", {"out/data/table.csv": "t"}, {"train.a": {"lr": "5e-06"}, "seed": 0},
                         {"out/a": "a"}),
        "train@b": entry("train b", {"out/data/table.csv": "t"}, {"train.b": {"lr": 1}, "seed": 0}, {"out/b": "b"}),
        "score": entry("score", {"out/a": "a"}, {"score": 1}, {"score.json": "s"}),
    }  # fmt: skip


def proven(stages, entries, contents=None) -> set[str]:
    text = yaml.safe_dump({"schema": "2.0", "stages": entries})
    return recorded_runs.finished(stages, PARAMS, {"dvc.lock": text}, contents or Contents())


def test_a_lock_proves_stages(stages):
    assert proven(stages, lock()) == set(stages)  # 5e-06, which YAML 1.1 reads as text, is 5e-6
    assert proven(stages, {}) == set()


@pytest.mark.parametrize(
    ("stage", "part", "value", "lost"),
    [
        ("score", "cmd", "other", {"score"}),
        ("train@a", "params", {"params.yaml": {"train.a": {"lr": 5e-6}, "seed": 1}}, {"train@a", "score"}),
        ("train@a", "outs", [{"path": "out/a", "md5": "new"}], {"score"}),  # score read an older one
        ("train@b", "deps", [{"path": "out/data/table.csv", "md5": "old"}], {"train@b"}),  # one file of a folder
        ("data", "deps", [], {"data", "train@a", "train@b", "score"}),
    ],
)
def test_a_lock_that_does_not_fit(stages, stage, part, value, lost):
    entries = lock()
    entries[stage][part] = value
    assert set(stages) - proven(stages, entries) == lost


def test_outputs_that_are_not_in_the_cache(stages):
    assert set(stages) - proven(stages, lock(), Contents(absent="a")) == {"train@a", "score"}


def test_time_of_a_grid():
    assert plan.makespan([5, 4, 3, 2], 2) == 7  # 5 + 2 beside 4 + 3
    assert plan.makespan([5, 4, 3, 2], 1) == 14
    assert plan.makespan([], 3) == 0
    assert plan.seconds_of(["a", "b", "c"], {"a": 1.5, "c": 2}) == (3.5, ["b"])


def test_stages_are_timed_by_the_lines_of_dvc(tmp_path):
    times = iter([10, 13, 20, 21])
    clock = stage_seconds.Clock(lambda: next(times))
    for line in [
        "Reproducing experiment 'x'",
        "Running stage 'a':",  # at 10
        "> python a.py",
        "Running stage 'sample/dvc.yaml:b@c':",  # at 13
        "Stage 'd' didn't change, skipping",  # at 20
        "Running stage 'e':",  # at 21, and then killed
    ]:
        clock.read(line)
    assert clock.seconds == {"a": 3, "sample/dvc.yaml:b@c": 7}
    for seconds in (100, 1, 2, 3, 4, 5):  # the first of six is forgotten
        stage_seconds.add(tmp_path, {"a": seconds})
    assert stage_seconds.read(tmp_path) == {"a": 3}
    (tmp_path / stage_seconds.FILE).write_text("{")
    assert stage_seconds.read(tmp_path) == {}
