import os

# The only package file with content, because only it runs before torch is loaded, which is when OpenMP reads this.
# By default its threads spin while they wait; beside one other busy process a training step then took 4 to 18 times
# as long as on one thread. With a short spin it costs a fifth on an idle machine and nothing on a busy one.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
