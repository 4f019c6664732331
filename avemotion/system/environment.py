"""Environment variables that libraries read at import; the package sets them before any module imports torch or numpy.

A variable that the user has set keeps its value.
"""

import os
import platform
from pathlib import Path

# OpenMP's threads spin while they wait. With the default spin, a training step of ResNet-18 beside one to three busy
# processes took 4 to 18 times as long as on one thread; with this short spin 1.2 times, and a fifth longer on an idle
# machine.
SPIN = {"GOMP_SPINCOUNT": "1000"}

# torch, its libraries and numpy choose kernels by the processor's instruction set, and sums in another order have
# other last bits. With these values every x86-64 processor with AVX2 takes the same kernels and gives the same bytes
# (benchmarks/portable.py prints digests and the price). AVEMOTION_PORTABLE=0 leaves the choice to the libraries.
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "AVX2,STRICT",  # torch's matrix products and FFT
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's exp, log, sin ...
    "OPENBLAS_CORETYPE": "Haswell",  # numpy's and scipy's matrix products, which are also split by threads
    "OPENBLAS_NUM_THREADS": "1",
}


def has_avx2() -> bool:
    """Whether this is Linux on an x86-64 processor with AVX2; elsewhere libraries choose their kernels themselves."""
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return platform.machine() == "x86_64" and " avx2 " in info


wanted = SPIN
if os.environ.get("AVEMOTION_PORTABLE") != "0" and has_avx2():
    wanted = SPIN | PORTABLE
for name, value in wanted.items():
    os.environ.setdefault(name, value)
