"""Where the parts of the matrix are, and makes what they share with the tests importable."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
EXPECTED = os.path.join(ROOT, "probe-matrix", "expected")
MEASURED = os.path.join(ROOT, "probe-matrix", "measured.json")
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(ROOT, "tests", folder) for folder in ("support", "masks", "conformance")]
