"""Environment variables that libraries read at import; the package sets them before any module imports torch."""

import os

# OpenMP's threads spin while they wait. With the default spin, a training step of ResNet-18 beside one to three busy
# processes took 4 to 18 times as long as on one thread; with this short spin 1.2 times, and a fifth longer on an idle
# machine.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
