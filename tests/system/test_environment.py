"""The same kernels on every processor: set before numpy and torch are loaded, with a way out."""

import ast
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from project_params import REPO

from avemotion.system.environment import PORTABLE, has_avx2

VARIABLES = """
import avemotion, json, os, sys
assert not {"numpy", "torch"} & set(sys.modules)
print(json.dumps(dict(os.environ)))
"""
KERNELS = """
import avemotion, json, torch
from threadpoolctl import threadpool_info
blas = [(of["architecture"], of["num_threads"]) for of in threadpool_info() if of["internal_api"] == "openblas"]
print(json.dumps({"torch": torch.backends.cpu.get_cpu_capability(), "blas": blas}))
"""


def ask(program: str, **variables: str) -> dict[str, Any]:
    inherited = {name: value for name, value in os.environ.items() if name not in PORTABLE}
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, env=inherited | variables, capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout)


@pytest.mark.skipif(not has_avx2(), reason="the kernels are fixed on Linux with AVX2 alone")
def test_kernels_are_those_of_avx2():
    kernels = ask(KERNELS)
    assert kernels["torch"] == "AVX2"
    assert kernels["blas"] and all(of == ["Haswell", 1] for of in kernels["blas"])
    assert ask(VARIABLES).items() >= PORTABLE.items()


def test_the_way_out_and_the_users_own_values():
    assert not PORTABLE.keys() & ask(VARIABLES, AVEMOTION_PORTABLE="0").keys()
    assert ask(VARIABLES, MKL_CBWR="AUTO")["MKL_CBWR"] == "AUTO"


@pytest.mark.parametrize("file", [*REPO.glob("stages/*.py"), *REPO.glob("commands/*.py")], ids=lambda file: file.stem)
def test_no_script_loads_a_library_before_the_package(file):
    """Imports of a script are sorted, so those of libraries would come first."""
    tops = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in tops if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in tops if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= {*sys.stdlib_module_names, "avemotion", "stages", "ruamel"}
