"""Times entropies by numpy, one request a line, for `cargo xtask bench --peers`.

A request is of a kernel matrix, or of a finite network's empirical kernel,

    {"case": name, "work": "matrix", "kernel": file}
    {"case": name, "work": "record", "network": {...}, "parameters": [file, ...], "x": file,
     "trace": "traced" or "full"}

with the network and its parameters as in `neural_tangents_networks`. The kernel's eigenvalues are
numpy's, in the precision of the file or of the network; values are the von Neumann entropy over
the trace, in nats, and the trace. `neural_tangents_peer` says how a request is answered. Run by
hand, it answers the same way.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / crate / "benches" / "peers") for crate in ("ntk-kernels", "ntk-train")]

import neural_tangents_networks as networks  # noqa: E402
import neural_tangents_peer as peer  # noqa: E402


def entropy_and_trace(kernel):
    import numpy

    p = numpy.linalg.eigvalsh(kernel).astype(numpy.float64)
    trace = p.sum()
    p = p[p > 0] / trace
    return [float(-(p * numpy.log(p)).sum()), float(trace)]


class Matrix:
    """A kernel matrix from a file."""

    def __init__(self, request):
        import numpy

        self.kernel = numpy.load(request["kernel"])

    def run(self):
        start = time.perf_counter()
        values = entropy_and_trace(self.kernel)
        return {"seconds": time.perf_counter() - start, "values": values}


class Record:
    """A compiled empirical kernel, whose spectrum is taken each time."""

    def __init__(self, request):
        self.kernel = networks.Kernel({**request, "entries": [[0, 0]]})

    def run(self):
        import numpy

        of = self.kernel
        start = time.perf_counter()
        kernel = numpy.asarray(of.kernel(of.x, of.parameters))
        if kernel.ndim == 4:
            n, _, o, _ = kernel.shape
            kernel = kernel.transpose(0, 2, 1, 3).reshape(n * o, n * o)
        values = entropy_and_trace(kernel)
        return {"seconds": time.perf_counter() - start, "values": values}


def prepare(request):
    return {"matrix": Matrix, "record": Record}[request["work"]](request)


if __name__ == "__main__":
    peer.serve(prepare)
