"""Times finite networks of neural_tangents, one request a line, for `cargo xtask bench --peers`.

A request of an empirical kernel or of an epoch of training is

    {"case": name, "work": "ntk", "network": {...}, "parameters": [file, ...], "x": file,
     "trace": "traced" or "full", "entries": [[i, j], ...]}
    {"case": name, "work": "train", "network": {...}, "parameters": [file, ...], "x": file,
     "y": file, "batch": b, "optimizer": {"sgd": {"learning_rate": r, "momentum": m}}}

with a network as ntk-kernels reads it, and its parameters in its order, each layer's weights
(fan_in, width) before its bias; entries are those of a matrix whose rows are sample * outputs +
output where it is full. An epoch's value is the mean loss of its batches, each before its step;
`neural_tangents_peer` says how a request is answered. Run by hand, it answers the same way.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "ntk-kernels" / "benches" / "peers"))

import neural_tangents_peer as peer  # noqa: E402


def model(request):
    """The network's function, its parameters and its inputs."""
    import jax
    import numpy

    init, apply, _ = peer.network(request["network"])
    x = jax.device_put(numpy.load(request["x"]))
    shapes = jax.eval_shape(lambda key: init(key, x.shape)[1], jax.random.PRNGKey(0))
    leaves, tree = jax.tree_util.tree_flatten(shapes)
    arrays = [numpy.load(file) for file in request["parameters"]]
    if [leaf.size for leaf in leaves] != [array.size for array in arrays]:
        raise ValueError(f"parameters of {[a.shape for a in arrays]} for {leaves}")
    # Rows of a convolution's weights are (height, width, in), as the axes are here.
    arrays = [jax.device_put(a.reshape(leaf.shape)) for a, leaf in zip(arrays, leaves)]
    return apply, jax.tree_util.tree_unflatten(tree, arrays), x


class Kernel:
    """A compiled empirical kernel and its inputs."""

    def __init__(self, request):
        import jax
        import neural_tangents as nt
        import numpy

        apply, self.parameters, self.x = model(request)
        full = request["trace"] == "full"
        kernel = nt.empirical_ntk_fn(
            apply,
            trace_axes=() if full else (-1,),
            vmap_axes=0,
            implementation=nt.NtkImplementation.STRUCTURED_DERIVATIVES,
        )
        self.kernel = jax.jit(lambda x, parameters: kernel(x, None, parameters))
        rows, columns = numpy.array(request["entries"]).T
        if full:
            # Ours is (n o, n o), theirs (n, n, o, o).
            o = jax.eval_shape(apply, self.parameters, self.x).shape[-1]
            self.entries = (rows // o, columns // o, rows % o, columns % o)
        else:
            self.entries = (rows, columns)

    def run(self):
        import numpy

        start = time.perf_counter()
        kernel = self.kernel(self.x, self.parameters).block_until_ready()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "values": numpy.asarray(kernel)[self.entries].tolist()}


class Epoch:
    """A compiled step of training, the batches and what training starts from."""

    def __init__(self, request):
        import jax
        import numpy
        from jax.example_libraries import optimizers

        apply, self.parameters, x = model(request)
        y = jax.device_put(numpy.load(request["y"]))
        starts = range(0, x.shape[0], request["batch"])
        self.batches = [(x[i : i + request["batch"]], y[i : i + request["batch"]]) for i in starts]
        ((name, options),) = request["optimizer"].items()
        if name == "sgd" and not options.get("nesterov"):
            rule = optimizers.momentum(options["learning_rate"], options["momentum"])
        elif name == "adam":
            b1, b2 = options["betas"]
            rule = optimizers.adam(options["learning_rate"], b1, b2, options["eps"])
        else:
            raise ValueError(f"no optimizer {name} with options {options} here")
        self.start, update, parameters = rule

        def cross_entropy(theta, x, y):
            return -(y * jax.nn.log_softmax(apply(theta, x))).sum(axis=-1).mean()

        def step(number, state, x, y):
            loss, gradient = jax.value_and_grad(cross_entropy)(parameters(state), x, y)
            return update(number, gradient, state), loss

        self.step = jax.jit(step, donate_argnums=1)

    def run(self):
        import jax
        import numpy

        # Copies, as each step may reuse the memory of what it is given.
        state = self.start(jax.tree_util.tree_map(lambda p: p.copy(), self.parameters))
        jax.block_until_ready((self.batches, state))
        start = time.perf_counter()
        losses = []
        for number, (x, y) in enumerate(self.batches):
            state, loss = self.step(number, state, x, y)
            losses.append(loss)
        jax.block_until_ready((state, losses))
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "values": [float(numpy.mean([float(loss) for loss in losses]))]}


def prepare(request):
    return {"ntk": Kernel, "train": Epoch}[request["work"]](request)


if __name__ == "__main__":
    peer.serve(prepare)
