"""Times closed-form kernels of neural_tangents, one request a line, for `cargo xtask bench --peers`.

A request is

    {"case": name, "network": {...}, "x1": file, "x2": file or null, "get": "ntk",
     "entries": [[i, j], ...], "mask": value, "graphs": file}

with a network as ntk-kernels reads it. Where there is a mask, positions are masked at which all
channels have its value; graphs are weights of shape (n, tails, heads), of the samples of x1 among
themselves. Both may be null or missing. `neural_tangents_peer` says how it is answered. Run by
hand, it answers the same way.
"""

import time

import neural_tangents_peer as peer


class Case:
    """A compiled kernel and its inputs."""

    def __init__(self, request):
        import jax
        import numpy

        _, _, kernel = peer.network(request["network"])
        get = request["get"]
        self.inputs = [
            jax.device_put(numpy.load(request[x])) if request[x] else None for x in ("x1", "x2")
        ]
        options = {}
        if request.get("mask") is not None:
            options["mask_constant"] = request["mask"]
        graphs = request.get("graphs")
        self.inputs.append(jax.device_put(numpy.load(graphs)) if graphs else None)

        def compute(x1, x2, weights):
            of_graphs = {} if weights is None else {"pattern": (weights, weights)}
            return kernel(x1, x2, get, **options, **of_graphs)

        self.kernel = jax.jit(compute)
        self.entries = tuple(numpy.array(request["entries"]).T)

    def run(self):
        import numpy

        start = time.perf_counter()
        kernel = self.kernel(*self.inputs).block_until_ready()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "values": numpy.asarray(kernel)[self.entries].tolist()}


if __name__ == "__main__":
    peer.serve(Case)
