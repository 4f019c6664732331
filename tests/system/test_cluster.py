"""compute.engine ray: the same results as worker processes, also when a node is lost. Needs the extra `ray`."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from project_params import REPO
from recordings import voice, write_manifest, write_params

from avemotion.params.shared.compute import ComputeParams
from avemotion.system.workers import parallel
from stages import features


def params(address=None, engine="ray"):
    return ComputeParams(
        device="cpu", threads=1, workers=1, loader_workers=0, engine=engine, address=address, tensorboard=False
    )


def test_without_ray_the_error_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if not installed
    with pytest.raises(ValueError, match=r"compute\.engine is ray, which is not installed.*--extra ray.*local"):
        list(parallel(abs, [1], params(), "units"))


def test_an_address_needs_the_engine():
    with pytest.raises(ValueError, match=r"address is 'host:6379', but engine is local"):
        params("host:6379", engine="local")


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs for units, and two nodes of two."""
    pytest.importorskip("ray", reason="ray, an optional extra, is not installed")
    from ray.cluster_utils import Cluster

    folders = (REPO, REPO / "tests/toys", REPO / "tests/system")  # nodes import this file to run its functions
    path = os.pathsep.join([*map(str, folders), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        made.first, made.second = made.add_node(num_cpus=2), made.add_node(num_cpus=2)
        made.wait_for_nodes()
        yield made
        import ray

        ray.shutdown()
        made.shutdown()


def slow(folder, seconds, unit):
    """Leaves a file a start, then takes its time."""
    (Path(folder) / f"{unit}-{time.time_ns()}-{os.getpid()}").touch()
    time.sleep(seconds)
    return unit * unit, str(Path.cwd())


def test_results_come_in_order_and_in_this_folder(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = list(parallel(partial(slow, str(tmp_path), 0), range(30), params(cluster.address), "units"))
    assert found == [(unit * unit, str(tmp_path)) for unit in range(30)]


def fails(unit):
    if unit == 2:
        raise ValueError("corpus/c.wav: broken; repair it")


def test_a_users_mistake_stays_one_line(cluster):
    with pytest.raises(ValueError, match=r"^corpus/c\.wav: broken; repair it$"):
        list(parallel(fails, range(5), params(cluster.address), "units"))


def outputs():
    folder = Path("data/features")
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_lost_node_costs_its_units_in_flight_and_no_byte(cluster, tmp_path, monkeypatch, capsys):
    """Extraction on two nodes, one of which dies in the middle, against extraction here."""
    monkeypatch.chdir(tmp_path)
    write_manifest({f"clip{i:02}": voice(2, 100 + 5 * i, i) for i in range(40)})
    monkeypatch.setattr(sys, "argv", ["features", "prosody", "--role", "emotion"])
    write_params()
    features.main()
    here = outputs()
    for folder in ("data/features", "data/work"):
        subprocess.run(["rm", "-r", folder], check=True)
    write_params({"compute.engine": "ray", "compute.address": cluster.address})
    from avemotion.extraction import extraction

    done = 0
    wrapped = extraction.parallel

    def killing(*args):
        nonlocal done
        for result in wrapped(*args):
            done += 1
            if done == 6:
                cluster.remove_node(cluster.second, allow_graceful=False)
            yield result

    monkeypatch.setattr(extraction, "parallel", killing)
    features.main()
    assert done == 40 and outputs() == here
    import ray

    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    assert len(alive) == 1


def test_no_cluster_is_one_clear_error(monkeypatch):
    ray = pytest.importorskip("ray", reason="ray, an optional extra, is not installed")
    ray.shutdown()
    with pytest.raises(ValueError, match=r"no Ray cluster at 127\.0\.0\.1:1 .*ray start --head"):
        list(parallel(abs, [1], params("127.0.0.1:1"), "units"))
