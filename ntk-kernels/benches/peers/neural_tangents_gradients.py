"""Times derivatives of neural_tangents' kernels, one request a line, for `cargo xtask bench --peers`.

A request with targets,

    {"case": name, "network": network, "x1": file, "y": file, "noise": variance}

asks for the log marginal likelihood of the NNGP and its derivatives by each w_std and b_std of the
network, in its order, and by the noise. One with weights,

    {"case": name, "network": network, "x1": file, "x2": file, "weights": file, "entries": [[i, j], ...]}

asks for the derivatives of the sum of the NTK's entries, each times its weight, by both inputs; values
are these entries of either. `neural_tangents_peer` says how a request is answered.
"""

import time

import neural_tangents_peer as peer


def deviations(description):
    """The standard deviations of a network of dense layers and activations, and how to put others."""
    values, places = [], []
    for number, layer in enumerate(description["layers"]):
        if isinstance(layer, dict) and "dense" in layer:
            options = {"w_std": 1.0, **layer["dense"]}
            for name in ("w_std", "b_std"):
                if options.get(name) is not None:
                    values.append(options[name])
                    places.append((number, name))
    return values, places


def put(description, places, values):
    layers = [dict(layer) if isinstance(layer, dict) else layer for layer in description["layers"]]
    for (number, name), value in zip(places, values):
        if isinstance(layers[number], str):
            layers[number] = {layers[number]: {}}
        layers[number]["dense"] = {**layers[number].get("dense", {}), name: value}
    return {**description, "layers": layers}


def named(description):
    """The same, with every layer as {name: {options}}."""
    layers = [{each: {}} if isinstance(each, str) else each for each in description["layers"]]
    return {**description, "layers": layers}


class Case:
    """A compiled derivative and its inputs."""

    def __init__(self, request):
        import jax
        import numpy
        from jax import numpy as jnp

        description = named(request["network"])

        def load(name):
            return jax.device_put(numpy.load(request[name]))

        if "y" in request:
            values, places = deviations(description)

            def evidence(values, x, y):
                kernel_fn = peer.network(put(description, places, list(values[:-1])))[2]
                k = kernel_fn(x, None, "nngp")
                n, outputs = y.shape
                factor = jnp.linalg.cholesky(k + values[-1] * jnp.eye(n))
                solved = jax.scipy.linalg.cho_solve((factor, True), y)
                logs = jnp.sum(jnp.log(jnp.diag(factor)))
                return -0.5 * jnp.sum(y * solved) - outputs * (logs + 0.5 * n * jnp.log(2 * jnp.pi))

            start = tuple(float(value) for value in [*values, request["noise"]])
            self.inputs = [start, load("x1"), load("y")]
            self.work = jax.jit(jax.value_and_grad(evidence))
            self.read = lambda found: [float(by) for by in found[1]]
        else:
            kernel_fn = peer.network(description)[2]

            def total(x1, x2, weights):
                return jnp.sum(kernel_fn(x1, x2, "ntk") * weights)

            self.inputs = [load("x1"), load("x2"), load("weights")]
            self.work = jax.jit(jax.grad(total, argnums=(0, 1)))
            rows, columns = zip(*request["entries"])
            self.read = lambda found: numpy.concatenate(
                [numpy.asarray(by)[rows, columns] for by in found]
            ).tolist()

    def run(self):
        import jax

        start = time.perf_counter()
        found = jax.block_until_ready(self.work(*self.inputs))
        return {"seconds": time.perf_counter() - start, "values": self.read(found)}


if __name__ == "__main__":
    peer.serve(Case)
