"""Times predictions of neural_tangents, one request a line, for `cargo xtask bench --peers`.

A request is

    {"case": name, "k_dd": file, "k_td": file, "y": file, "times": [t, ...],
     "margin": margin or null, "rows": [[i, ...], [j, ...]]}

with the kernel of training samples (n, n), that of test samples with them (m, n) and targets
(n, outputs). Without a margin the loss is the squared one, in closed form; with one it is
1/2 mean max(0, margin - f y)^2, by the solver of differential equations. Values are the training
outputs at all times of the rows i, then the test outputs of the rows j;
`neural_tangents_peer` says how a request is answered. Run by hand, it answers the same way.
"""

import time

import neural_tangents_peer as peer


class Case:
    """A compiled prediction and its inputs."""

    def __init__(self, request):
        import jax
        import neural_tangents as nt
        import numpy
        from jax import numpy as jnp

        self.inputs = [jax.device_put(numpy.load(request[x])) for x in ("k_dd", "k_td", "y")]
        # An array in any case, so that outputs have an axis over the times.
        self.inputs.append(jax.device_put(numpy.array(request["times"], dtype=numpy.float32)))
        self.rows = request["rows"]
        margin = request["margin"]

        def hinge(f, y):
            return 0.5 * jnp.mean(jnp.maximum(0.0, margin - f * y) ** 2)

        def predict(k_dd, k_td, y, times):
            if margin is None:
                predictor = nt.predict.gradient_descent_mse(k_dd, y)
            else:
                predictor = nt.predict.gradient_descent(hinge, k_dd, y)
            start = jnp.zeros((k_td.shape[0], y.shape[1]), y.dtype)
            return predictor(times, jnp.zeros_like(y), start, k_td)

        self.predict = jax.jit(predict)

    def run(self):
        import jax
        import numpy

        start = time.perf_counter()
        outputs = jax.block_until_ready(self.predict(*self.inputs))
        seconds = time.perf_counter() - start
        values = [numpy.asarray(f)[:, rows].ravel() for f, rows in zip(outputs, self.rows)]
        return {"seconds": seconds, "values": numpy.concatenate(values).tolist()}


if __name__ == "__main__":
    peer.serve(Case)
