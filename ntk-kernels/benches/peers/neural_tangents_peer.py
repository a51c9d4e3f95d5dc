"""What the programs that time neural_tangents for `cargo xtask bench --peers` have in common.

The first line of output says what runs. Then each line of input is a request, an object with
the name of a "case", and is answered by a line, {"seconds": s, "values": [...]} or
{"error": reason}. The first request of a case compiles, later ones only compute.
"""

import argparse
import ctypes
import json
import os
import resource
import signal
import sys
import types

PR_SET_PDEATHSIG = 1  # of Linux' prctl

# How XLA and Python say that there is not enough memory.
OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "bad_alloc", "Unable to allocate")


def limit(memory, threads):
    """Before anything else is loaded: end with the parent, so much memory, so many threads."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        cores = sorted(os.sched_getaffinity(0))
        # XLA starts one thread for each core that it may use.
        os.sched_setaffinity(0, cores[:threads])
    if memory:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    for variable in ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    os.environ["JAX_PLATFORMS"] = "cpu"


def load():
    """Imports the libraries, and says which versions they have."""
    # It holds kernels of tensorflow models alone, and needs tensorflow.
    sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")
    import jax
    import jaxlib
    import neural_tangents
    import numpy

    return {
        "neural_tangents": neural_tangents.__version__,
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "numpy": numpy.__version__,
        "python": sys.version.split()[0],
    }


class NotHere(ValueError):
    """neural_tangents has no such layer, or none with such options."""


class Options(dict):
    """A layer's options; those that are left at the end are what neural_tangents lacks."""

    def take(self, key, default=None):
        """An option, or its default where it is not given or null."""
        value = self.pop(key, None)
        return default if value is None else value

    def weights(self):
        """Standard deviations; without one of the bias there is none."""
        return {"W_std": self.take("w_std", 1.0), "b_std": self.take("b_std")}

    def lack(self, key, plain):
        """Takes an option that is here where it changes nothing, as this value does."""
        if self.get(key, plain) in (plain, None):
            self.pop(key, None)


class Layers:
    """Makes layers of stax, and knows the shape of what each is given.

    The shape, (samples, positions..., channels), is needed by some maps of positions alone; None
    where there are no such layers.
    """

    def __init__(self, parameterization, shape, masked):
        from neural_tangents import stax

        self.stax = stax
        self.parameterization = parameterization
        self.shape = shape
        self.masked = masked

    def serial(self, descriptions):
        layers = [self.layer(each) for each in descriptions]
        return self.stax.serial(*layers) if layers else self.stax.Identity()

    def layer(self, description):
        """A layer, a name or {name: {options}}."""
        if isinstance(description, str):
            description = {description: {}}
        ((name, options),) = description.items()
        if name not in LAYERS:
            raise NotHere(f"no {name}")
        before, options = self.shape, Options(options)
        layer = LAYERS[name](self, options)
        if options:
            raise NotHere(f"{name} has no {', '.join(sorted(options))}")
        self.shape = after(layer, before)
        return layer

    def sizes(self):
        """The numbers of samples and positions."""
        if self.shape is None:
            raise NotHere("a map of positions of unknown number")
        return self.shape[:-1]


def after(layer, shape):
    """The shape after a layer; traced, because drawing weights would take time."""
    import jax

    if shape is None:
        return None
    found = []

    def start(key):
        end, weights = layer[0](key, shape)
        found.append(end)
        return weights

    jax.eval_shape(start, jax.random.PRNGKey(0))
    return found[0]


def padding(options):
    value = options.take("padding", "valid")
    if not isinstance(value, str):
        raise NotHere("padding by numbers")
    return value.upper()


def dense(layers, options):
    return layers.stax.Dense(
        options.take("width", 512),
        parameterization=layers.parameterization,
        **options.weights(),
    )


def conv(kind):
    def make(layers, options):
        filter_shape = tuple(options.take("filter", (3, 3)))
        axes = len(filter_shape)
        options.lack("groups", 1)
        options.lack("dilation", [1] * axes)
        letters = "DHW"[-axes:]
        return getattr(layers.stax, kind)(
            options.take("channels", 64),
            filter_shape,
            strides=tuple(options.take("strides", [1] * axes)),
            padding=padding(options),
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
            parameterization=layers.parameterization,
            **options.weights(),
        )

    return make


def embedding(layers, options):
    """Of tokens as one-hot vectors, which the caller makes: it is their squares that sum to 1."""
    vocabulary = options.take("vocabulary")
    return layers.stax.Dense(
        options.take("width", 512),
        W_std=options.take("w_std", 1.0) * vocabulary**0.5,
        parameterization=layers.parameterization,
    )


def attention(layers, options):
    channels = options.take("channels", 64)
    return layers.stax.GlobalSelfAttention(
        channels,
        n_chan_key=options.take("key_channels", channels),
        n_chan_val=options.take("value_channels", channels),
        n_heads=options.take("heads", 8),
        linear_scaling=options.take("linear_scaling", True),
        W_key_std=options.take("w_key_std", 1.0),
        W_value_std=options.take("w_value_std", 1.0),
        W_query_std=options.take("w_query_std", 1.0),
        W_out_std=options.take("w_out_std", 1.0),
        b_std=options.take("b_std"),
        attention_mechanism=options.take("mechanism", "identity").upper(),
        **positional(options.take("embedding")),
    )


def positional(embedding):
    """The arguments of attention about its positional embedding."""
    import jax

    if embedding is None:
        return {}
    embedding = Options(embedding)
    merge, channels = embedding.take("merge", "sum"), embedding.take("channels")
    ((name, rate),) = embedding.take("decay", {None: None}).items()
    decay = {
        None: None,
        "exp": lambda distance: jax.numpy.exp(-rate * distance),
        "power": lambda distance: (1 + distance) ** -rate,
    }
    return {
        "pos_emb_type": merge.upper(),
        "pos_emb_p_norm": embedding.take("norm", 2.0),
        "pos_emb_decay_fn": decay[name],
        # A sum has the signal's.
        "n_chan_pos_emb": channels if merge == "concat" else None,
        "W_pos_emb_std": embedding.take("w_std", 1.0),
        "val_pos_emb": embedding.take("values", False),
    }


def branch(layers, options):
    stax, start = layers.stax, layers.shape
    merge, axis = options.take("merge", "sum"), options.take("axis", -1)
    paths = []
    for path in options.take("paths"):
        layers.shape = start
        paths.append(layers.serial(path))
    fan_in = {
        "sum": stax.FanInSum,
        "product": stax.FanInProd,
        "concat": lambda: stax.FanInConcat(axis),
    }
    return stax.serial(stax.FanOut(len(paths)), stax.parallel(*paths), fan_in[merge]())


def pool(kind):
    def make(layers, options):
        window = tuple(options.take("window"))
        edges = {"normalize_edges": options.take("normalize_edges", False)}
        return getattr(layers.stax, kind)(
            window,
            strides=tuple(options.take("strides", window)),
            padding=padding(options),
            **(edges if kind == "AvgPool" else {}),
        )

    return make


def over_axes(kind):
    """What takes all axes of positions in stax; sums over some are a product with ones."""

    def make(layers, options):
        import numpy

        axes = options.take("axes")
        if axes is None:
            return getattr(layers.stax, kind)()
        sizes = layers.sizes()
        axes = sorted(axis % (len(sizes) + 1) for axis in axes)
        if axes == list(range(1, len(sizes))):
            return getattr(layers.stax, kind)()
        if kind == "Flatten":
            raise NotHere("flatten of some axes")
        if kind == "GlobalAvgPool" and layers.masked:
            raise NotHere("means over some axes of unmasked positions")
        ones = numpy.ones([sizes[axis] for axis in axes])
        return layers.stax.DotGeneral(
            rhs=ones / ones.size if kind == "GlobalAvgPool" else ones,
            dimension_numbers=((axes, list(range(len(axes)))), ([], [])),
        )

    return make


def position_map(layers, options):
    """A product from the left puts rows first; samples and axes are put in order afterwards."""
    import numpy

    sizes = layers.sizes()
    axes = sorted(axis % (len(sizes) + 1) for axis in options.take("axes"))
    matrix = options.take("matrix")
    to = options.take("to", [len(matrix)])
    matrix = numpy.array(matrix, dtype=float).reshape(*to, *(sizes[axis] for axis in axes))
    columns = list(range(len(to), matrix.ndim))
    product = layers.stax.DotGeneral(lhs=matrix, dimension_numbers=((columns, axes), ([], [])))
    rest = [axis for axis in range(1, len(sizes)) if axis not in axes]
    front = sum(axis < axes[0] for axis in rest)
    samples, rows = len(to), list(range(len(to)))
    rest = [samples + 1 + place for place in range(len(rest))]
    order = [samples, *rest[:front], *rows, *rest[front:]]
    sizes = after(product, layers.shape)
    ordered = factors(layers, numpy.ones([sizes[axis] for axis in order]), order)
    return layers.stax.serial(product, ordered)


def scale(layers, options):
    import numpy

    by, axis = options.take("by"), options.take("axis")
    if axis is None:
        return layers.stax.DotGeneral(rhs=by)
    sizes = layers.sizes()
    shape = [1] * len(sizes)
    shape[axis] = sizes[axis]
    by = numpy.broadcast_to(numpy.reshape(by, shape), sizes)
    return factors(layers, by, list(range(len(sizes))))


def factors(layers, by, order):
    """Multiplies samples and positions by numbers, and puts their axes, samples first, in order.

    So both inputs of a kernel have equally many samples.
    """
    return layers.stax.DotGeneral(
        rhs=by,
        dimension_numbers=(([], []), (order, list(range(len(order))))),
        batch_axis=order[0],
    )


def layer_norm(layers, options):
    options.lack("affine", False)
    axes = tuple(options.take("axes", [-1]))
    return layers.stax.LayerNorm(axes, eps=options.take("eps", 1e-12))


def aggregate(layers, options):
    axes = options.take("axes")
    return layers.stax.Aggregate(aggregate_axis=None if axes is None else tuple(axes))


def resize(layers, options):
    return layers.stax.ImageResize(
        (-1, *options.take("shape"), -1),
        options.take("method", "linear"),
        antialias=options.take("antialias", True),
    )


def along(axis, selected):
    return (slice(None),) * axis + (selected,)


def sliced(layers, options):
    which = slice(options.take("start"), options.take("stop"), options.take("step"))
    return layers.stax.Index(along(options.take("axis", 1), which))


def index(layers, options):
    return layers.stax.Index(along(options.take("axis", 1), options.take("at")))


def quadrature(layers, options):
    import jax

    function = options.take("function")
    functions = {
        "tanh": jax.numpy.tanh,
        "softplus": jax.nn.softplus,
        "silu": jax.nn.silu,
        "sigmoid": jax.nn.sigmoid,
    }
    return layers.stax.ElementwiseNumerical(functions[function], deg=options.take("nodes"))


def plain(name, *arguments):
    """A layer of stax that takes these options in this order, given with their defaults."""

    def make(layers, options):
        values = [options.take(key, default) for key, default in arguments]
        return getattr(layers.stax, name)(*values)

    return make


WAVE = (("a", 1.0), ("b", 1.0), ("c", 0.0))

LAYERS = {
    "dense": dense,
    "conv": conv("Conv"),
    "conv_local": conv("ConvLocal"),
    "conv_transpose": conv("ConvTranspose"),
    "embedding": embedding,
    "attention": attention,
    "branch": branch,
    "avg_pool": pool("AvgPool"),
    "sum_pool": pool("SumPool"),
    "flatten": over_axes("Flatten"),
    "global_avg_pool": over_axes("GlobalAvgPool"),
    "global_sum_pool": over_axes("GlobalSumPool"),
    "position_map": position_map,
    "scale": scale,
    "resize": resize,
    "slice": sliced,
    "index": index,
    "aggregate": aggregate,
    "layer_norm": layer_norm,
    "dropout": plain("Dropout", ("keep", None)),
    "identity": plain("Identity"),
    "quadrature": quadrature,
    "relu": plain("Relu"),
    "abs": plain("Abs"),
    "leaky_relu": plain("LeakyRelu", ("slope", None)),
    "abrelu": plain("ABRelu", ("a", None), ("b", None)),
    "gelu": plain("Gelu"),
    "erf": plain("Erf", *WAVE),
    "sigmoid_like": plain("Sigmoid_like"),
    "sin": plain("Sin", *WAVE),
    "cos": plain("Cos", *WAVE),
    "sign": plain("Sign"),
    "gabor": plain("Gabor"),
    "exp": plain("Exp", ("a", 1.0), ("b", 1.0)),
    "gaussian": plain("Gaussian", ("a", 1.0), ("b", -1.0)),
    "exp_normalized": plain("ExpNormalized", ("gamma", 1.0), ("shift", -1.0)),
    "rbf": plain("Rbf", ("gamma", 1.0)),
    "hermite": plain("Hermite", ("degree", None)),
    "monomial": plain("Monomial", ("degree", None)),
    "rectified_monomial": plain("RectifiedMonomial", ("degree", None)),
    "polynomial": plain("Polynomial", ("coefficients", None)),
}


def network(description, shape=None, masked=False):
    """A network as ntk-kernels writes it, in stax: its three functions.

    The shape is that of its inputs; without it layers that need one are refused.
    """
    layers = Layers(description.get("parameterization", "ntk"), shape, masked)
    return layers.serial(description["layers"])


def serve(prepare):
    """Answers requests: `prepare(request)` makes a case, and its `run()` the answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, default=0, help="bytes that it may use, 0 for all")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    # What libraries print goes to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    limit(arguments.memory, arguments.threads)
    print(json.dumps(load()), file=answers)

    name, case = None, None
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if name != request["case"]:
                name, case = None, None  # frees the last one's memory first
                case = prepare(request)
                name = request["case"]
            answer = case.run()
        except MemoryError:
            answer = {"error": "out of memory"}
        except Exception as error:  # whatever it is, the other side is told
            text = f"{type(error).__name__}: {error}"
            lacks = any(sign in text for sign in OUT_OF_MEMORY)
            answer = {"error": "out of memory" if lacks else text}
        print(json.dumps(answer), file=answers)

