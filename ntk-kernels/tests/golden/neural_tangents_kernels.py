"""A neural_tangents kernel function from a network in our JSON format.

    from nt_net import kernel_fn, kernels
    nngp, ntk = kernels(net, x1, x2)          # net: dict, JSON text or path; x2 may be None

Float64, one thread. Without b_std (the default of our format) there is no bias (None): that matters
to the standard parameterisation only, where neural_tangents adds 1 to the NTK for any bias that is not
None, one of standard deviation 0 included.
"""
import json, os, sys
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import jax
jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
from neural_tangents import stax

DIMS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC")}
FUNCTIONS = {"tanh": jnp.tanh, "softplus": jax.nn.softplus, "silu": jax.nn.silu, "sigmoid": jax.nn.sigmoid}


class Options(dict):
    """A layer's options; what is left at the end was unknown."""
    def __init__(self, name, d):
        super().__init__(d)
        self.name = name

    def take(self, key, *default):
        return self.pop(key, *default)

    def done(self):
        if self:
            raise ValueError(f"{self.name}: unknown options {sorted(self)}")


def layers(items, param):
    return stax.serial(*[layer(i, param) for i in items]) if items else stax.Identity()


def layer(item, param):
    if isinstance(item, str):
        name, o = item, {}
    else:
        (name, o), = item.items()
    o = Options(name, o)
    l = build(name, o, param)
    o.done()
    return l


def build(name, o, param):
    bias = lambda: o.take("b_std", None)
    if name == "dense":
        return stax.Dense(o.take("width", 512), o.take("w_std", 1.0), bias(), parameterization=param)
    if name == "conv":
        f = tuple(o.take("filter", [3, 3]))
        s = tuple(o.take("strides", [1] * len(f)))
        return stax.Conv(o.take("channels", 64), f, s, o.take("padding", "valid").upper(),
                         o.take("w_std", 1.0), bias(), DIMS[len(f)], param)
    if name in ("avg_pool", "sum_pool"):
        w = tuple(o.take("window"))
        f = stax.AvgPool if name == "avg_pool" else stax.SumPool
        return f(w, tuple(o.take("strides", w)), o.take("padding", "valid").upper())
    if name == "global_avg_pool":
        return stax.GlobalAvgPool()
    if name == "global_sum_pool":
        return stax.GlobalSumPool()
    if name == "flatten":
        return stax.Flatten()
    if name == "identity":
        return stax.Identity()
    if name == "layer_norm":
        a = o.take("axes", [-1])
        return stax.LayerNorm(tuple(a), o.take("eps", 1e-12))
    if name == "dropout":
        return stax.Dropout(o.take("keep"), mode="train")
    if name == "branch":
        paths, merge = o.take("paths"), o.take("merge", "sum")
        join = {"sum": stax.FanInSum, "product": stax.FanInProd}[merge]
        return stax.serial(stax.FanOut(len(paths)), stax.parallel(*[layers(p, param) for p in paths]), join())
    if name == "attention":
        c = o.take("channels", 64)
        return stax.GlobalSelfAttention(
            n_chan_out=c, n_chan_key=c, n_chan_val=c, n_heads=o.take("heads", 1),
            linear_scaling=o.take("linear_scaling", True), W_key_std=o.take("w_key_std", 1.0),
            W_value_std=o.take("w_value_std", 1.0), W_query_std=o.take("w_query_std", 1.0),
            W_out_std=o.take("w_out_std", 1.0), b_std=bias(),
            attention_mechanism=o.take("mechanism", "identity").upper())
    simple = {"relu": stax.Relu, "abs": stax.Abs, "gelu": stax.Gelu, "sign": stax.Sign,
              "sigmoid_like": stax.Sigmoid_like, "gabor": stax.Gabor}
    if name in simple:
        return simple[name]()
    if name == "leaky_relu":
        return stax.LeakyRelu(o.take("slope"))
    if name == "abrelu":
        return stax.ABRelu(o.take("a"), o.take("b"))
    if name in ("erf", "sin", "cos"):
        f = {"erf": stax.Erf, "sin": stax.Sin, "cos": stax.Cos}[name]
        return f(o.take("a", 1.0), o.take("b", 1.0), o.take("c", 0.0))
    if name == "exp":
        return stax.Exp(o.take("a", 1.0), o.take("b", 1.0))
    if name == "gaussian":
        return stax.Gaussian(o.take("a", 1.0), o.take("b", -1.0))
    if name == "exp_normalized":
        return stax.ExpNormalized(o.take("gamma", 1.0), o.take("shift", -1.0))
    if name == "rbf":
        return stax.Rbf(o.take("gamma", 1.0))
    if name == "hermite":
        return stax.Hermite(o.take("degree"))
    if name == "monomial":
        return stax.Monomial(o.take("degree"))
    if name == "rectified_monomial":
        return stax.RectifiedMonomial(o.take("degree"))
    if name == "polynomial":
        return stax.Polynomial(o.take("coefficients"))
    if name == "quadrature":
        return stax.ElementwiseNumerical(FUNCTIONS[o.take("function")], deg=o.take("nodes"))
    raise ValueError(f"unknown layer {name}")


def read(net):
    if isinstance(net, str):
        net = json.loads(net) if net.lstrip().startswith("{") else json.load(open(net))
    if isinstance(net, list):
        net = {"layers": net}
    return net


def triple(net):
    net = read(net)
    return layers(net["layers"], net.get("parameterization", "ntk"))


def kernel_fn(net):
    return triple(net)[2]


def kernels(net, x1, x2=None, get=("nngp", "ntk"), jit=False):
    f = kernel_fn(net)
    x1 = jnp.asarray(x1, jnp.float64)
    x2 = None if x2 is None else jnp.asarray(x2, jnp.float64)
    g = lambda a, b: tuple(getattr(f(a, b, get), n) for n in get)
    if jit:
        g = jax.jit(g)
    return tuple(np.asarray(v) for v in g(x1, x2))


def golden(net, x1, x2, jit=False):
    a, b = kernels(net, x1, x2, jit=jit)
    c, d = kernels(net, x1, None, jit=jit)
    return dict(x1=np.asarray(x1), x2=np.asarray(x2), nngp=a, ntk=b, nngp_sym=c, ntk_sym=d)


def relative(a, b):
    """Largest difference over the largest magnitude; NaN and inf must stand at the same places."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not np.array_equal(np.isfinite(a), np.isfinite(b)):
        return np.inf
    m = np.isfinite(a)
    if not m.any():
        return 0.0
    s = np.max(np.abs(b[m]))
    return float(np.max(np.abs(a[m] - b[m])) / (s if s > 0 else 1.0))


if __name__ == "__main__":
    # check folder(s) of NAME.json + NAME.npz
    worst = 0
    for folder in sys.argv[1:]:
        for f in sorted(os.listdir(folder)):
            if f.endswith(".json"):
                z = np.load(os.path.join(folder, f[:-5] + ".npz"))
                g = golden(os.path.join(folder, f), z["x1"], z["x2"])
                e = max(relative(g[k], z[k]) for k in ("nngp", "ntk", "nngp_sym", "ntk_sym"))
                n = sum(int(np.sum(~np.isfinite(z[k]))) for k in ("nngp", "ntk", "nngp_sym", "ntk_sym"))
                worst = max(worst, e)
                print(f"{f[:-5]:40s} {e:.1e}" + (f"  ({n} not finite)" if n else "") + ("  <-- OFF" if e > 1e-10 else ""))
    print("worst", worst)
