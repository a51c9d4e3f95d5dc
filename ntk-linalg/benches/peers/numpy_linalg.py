"""Times numpy's symmetric linear algebra, one request a line, for `against_numpy`.

Reads `operation n precision` on standard input, such as `eigh 1000 f64`, and
answers with seconds. Run by hand, it answers the same way.
"""

import sys
import time

import numpy

OPERATIONS = {
    "eigenvalues": numpy.linalg.eigvalsh,
    "eigh": numpy.linalg.eigh,
    "cholesky": numpy.linalg.cholesky,
}
PRECISIONS = {"f32": numpy.float32, "f64": numpy.float64}


def matrix(n, precision):
    """Positive definite: a Wishart matrix with 2 n degrees of freedom."""
    x = numpy.random.default_rng(0).standard_normal((n, 2 * n))
    return (x @ x.T / n).astype(PRECISIONS[precision])


def blas():
    """The BLAS that numpy was built with."""
    info = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"numpy {numpy.__version__}, {info['name']} {info['version']}"


def main():
    print(blas(), flush=True)
    known = (None, None)
    for line in sys.stdin:
        operation, n, precision = line.split()
        if known[0] != (n, precision):
            known = ((n, precision), matrix(int(n), precision))
        start = time.perf_counter()
        OPERATIONS[operation](known[1])
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
