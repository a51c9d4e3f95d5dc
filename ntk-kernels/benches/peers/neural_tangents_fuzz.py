"""Computes kernels of neural_tangents in f64, one request a line, for `bench --peers fuzz`.

A request is

    {"case": name, "network": {...}, "x": file, "mask": file or null, "graphs": file or null}

with a network as ntk-kernels reads it, samples or token ids, what positions are masked (1) and
weights of shape (n, tails, heads). Values are the NNGP and then the NTK of the samples among
themselves, row by row, null where they are no numbers. A network that neural_tangents has no
layers for is answered by an error that begins with `NotHere`. `neural_tangents_peer` says how a
request is answered. Run by hand, it answers the same way.
"""

import math
import time

import neural_tangents_peer as peer

# What masked positions hold, which no sample does.
MASKED = -9.75


class Case:
    """A kernel and its inputs."""

    def __init__(self, request):
        import jax
        import numpy

        jax.config.update("jax_enable_x64", True)
        network = request["network"]
        x = numpy.load(request["x"])
        first = network["layers"][0] if network["layers"] else None
        if isinstance(first, dict) and "embedding" in first:
            x = numpy.eye(first["embedding"]["vocabulary"])[x.astype(int)]
        mask = request["mask"]
        self.options = {}
        if mask is not None:
            x = numpy.where(numpy.load(mask)[..., None] != 0, MASKED, x)
            self.options["mask_constant"] = MASKED
        graphs = request["graphs"]
        self.options["pattern"] = (None if graphs is None else numpy.load(graphs),) * 2
        _, _, self.kernel = peer.network(network, x.shape, mask is not None)
        self.x = jax.numpy.asarray(x)

    def run(self):
        import numpy

        start = time.perf_counter()
        found = self.kernel(self.x, None, ("nngp", "ntk"), **self.options)
        nngp = numpy.asarray(found.nngp)
        # A single zero where there are no weights.
        ntk = numpy.broadcast_to(found.ntk, nngp.shape)
        values = numpy.concatenate([nngp.ravel(), ntk.ravel()])
        seconds = time.perf_counter() - start
        values = [value if math.isfinite(value) else None for value in values.tolist()]
        return {"seconds": seconds, "values": values}


if __name__ == "__main__":
    peer.serve(Case)
