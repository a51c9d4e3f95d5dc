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


def weights(options):
    """Standard deviations; without one of the bias there is none."""
    return {"W_std": options.get("w_std", 1.0), "b_std": options.get("b_std")}


def layer(description, parameterization):
    """A layer, a name or {name: {options}}, in stax."""
    from neural_tangents import stax

    if isinstance(description, str):
        description = {description: {}}
    ((name, options),) = description.items()
    if name == "dense":
        return stax.Dense(
            options.get("width", 512), parameterization=parameterization, **weights(options)
        )
    if name == "conv":
        filter_shape = tuple(options.get("filter", (3, 3)))
        return stax.Conv(
            options.get("channels", 64),
            filter_shape,
            strides=tuple(options.get("strides") or [1] * len(filter_shape)),
            padding=options.get("padding", "valid").upper(),
            parameterization=parameterization,
            **weights(options),
        )
    if name == "conv_transpose":
        return stax.ConvTranspose(
            options.get("channels", 64),
            tuple(options.get("filter", (3, 3))),
            strides=tuple(options["strides"]) if options.get("strides") else None,
            padding=options.get("padding", "valid").upper(),
            parameterization=parameterization,
            **weights(options),
        )
    if name == "attention":
        channels = options.get("channels", 64)
        return stax.GlobalSelfAttention(
            channels,
            n_chan_key=channels,
            n_chan_val=channels,
            n_heads=options.get("heads", 8),
            linear_scaling=options.get("linear_scaling", True),
            W_key_std=options.get("w_key_std", 1.0),
            W_value_std=options.get("w_value_std", 1.0),
            W_query_std=options.get("w_query_std", 1.0),
            W_out_std=options.get("w_out_std", 1.0),
            b_std=options.get("b_std"),
            attention_mechanism=options.get("mechanism", "identity").upper(),
        )
    if name == "avg_pool":
        window = tuple(options["window"])
        return stax.AvgPool(
            window,
            strides=tuple(options.get("strides") or window),
            padding=options.get("padding", "valid").upper(),
        )
    plain = {
        "relu": stax.Relu,
        "flatten": stax.Flatten,
        "global_avg_pool": stax.GlobalAvgPool,
        "aggregate": stax.Aggregate,
    }
    if name in plain and not options:
        return plain[name]()
    raise ValueError(f"no {name} with options {options} here")


def network(description):
    """A network as ntk-kernels writes it, in stax: its three functions."""
    from neural_tangents import stax

    parameterization = description.get("parameterization", "ntk")
    return stax.serial(*(layer(each, parameterization) for each in description["layers"]))


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

