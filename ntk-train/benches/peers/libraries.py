"""Compares the program ntk with torch.func, nngeometry, scikit-ntk and neural_tangents, and times all of them.

It writes records/libraries.json and prints the tables of records/libraries.md, which also names the command.
It needs two Python environments: this one, with libraries-requirements.txt, and that of `--neural-tangents`,
with ntk-kernels/benches/peers/requirements.txt (`cargo xtask bench --peers` makes it in target/peers).

Each library runs in a process of its own that reads one request a line and answers by one line, in turns with
the others in every round. A first call, in which jax compiles and torch warms up, is not counted. The program
ntk is started anew for every kernel: its own seconds are those that it reports for the kernel, and `process`
are those from its start to its end, with files read and written.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WIDTHS = (784, 128, 128, 10)
SIZES = (50, 200, 500, 1000)
CLOSED_SIZES = (50, 200, 500, 1000, 2000)
TRAIN, TEST, ALPHA = 1000, 200, 1e-2
MLP = {
    "parameterization": "standard",
    "layers": [
        {"dense": {"width": 128, "b_std": 1.0}},
        "relu",
        {"dense": {"width": 128, "b_std": 1.0}},
        "relu",
        {"dense": {"width": 10, "b_std": 1.0}},
    ],
}
# scikit-ntk does not divide the first product by the number of features, hence 28 = sqrt(784).
DEPTH = 2
CLOSED = {
    "layers": [
        {"dense": {"w_std": 28.0}},
        "relu",
        {"dense": {"w_std": 2**0.5}},
        "relu",
        {"dense": {"w_std": 2**0.5}},
    ],
}


# The libraries' side.


def model(file):
    import torch
    from safetensors.torch import load_file

    layers = []
    for wide, narrow in zip(WIDTHS, WIDTHS[1:]):
        layers += [torch.nn.Linear(wide, narrow), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    network.load_state_dict(load_file(file))
    return network


def contraction(request):
    """The first method of PyTorch's tutorial: Jacobians of all outputs, and their products, traced."""
    import numpy
    import torch
    from torch.func import functional_call, jacrev, vmap

    network = model(request["weights"])
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    x = torch.from_numpy(numpy.load(request["x"]))

    def single(parameters, x):
        return functional_call(network, parameters, (x.unsqueeze(0),)).squeeze(0)

    def run():
        jacobians = vmap(jacrev(single), (None, 0))(parameters, x)
        products = (
            torch.einsum("Naf,Maf->NM", j.flatten(2), j.flatten(2)) for j in jacobians.values()
        )
        return sum(products) / WIDTHS[-1]

    return run


def vector_products(request):
    """The second method of PyTorch's tutorial: products of Jacobians and vectors, for each pair of samples."""
    import numpy
    import torch
    from torch.func import functional_call, jvp, vjp, vmap

    network = model(request["weights"])
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    x = torch.from_numpy(numpy.load(request["x"]))
    basis = torch.eye(WIDTHS[-1])

    def single(parameters, x):
        return functional_call(network, parameters, (x.unsqueeze(0),)).squeeze(0)

    def pair(x1, x2):
        _, pull = vjp(lambda parameters: single(parameters, x1), parameters)

        def product(vector):
            tangents = pull(vector)
            return jvp(lambda parameters: single(parameters, x2), (parameters,), tangents)[1]

        return vmap(product)(basis)

    def run():
        pairs = vmap(vmap(pair, (None, 0)), (0, None))(x, x)
        return torch.einsum("NMaa->NM", pairs) / WIDTHS[-1]

    return run


def gram(request):
    """nngeometry's kernel of all pairs of outputs, traced where asked."""
    import numpy
    import torch
    from nngeometry import GramMatrix
    from torch.utils.data import DataLoader, TensorDataset

    network = model(request["weights"])
    x = torch.from_numpy(numpy.load(request["x"]))
    loader = DataLoader(TensorDataset(x), batch_size=len(x))

    def run():
        kernel = GramMatrix(network, loader).to_torch()
        if request["full"]:
            n, outputs = len(x), WIDTHS[-1]
            return kernel.permute(1, 0, 3, 2).reshape(n * outputs, n * outputs)
        return torch.einsum("aman->mn", kernel.detach()) / WIDTHS[-1]

    return run


def skntk(request):
    """scikit-ntk's closed form, without bias."""
    import numpy
    from skntk import NeuralTangentKernel

    x = numpy.load(request["x"])
    kernel = NeuralTangentKernel(DEPTH, bias=0.0, bias_bounds="fixed")
    # It divides by the number of layers; ours does not.
    return lambda: kernel(x) * (DEPTH + 1)


METHODS = {f.__name__: f for f in (contraction, vector_products, gram, skntk)}


def serve(threads):
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    import nngeometry  # noqa: F401
    import numpy
    import scipy
    import sklearn
    import torch

    torch.set_num_threads(threads)
    from importlib.metadata import version

    names = ("torch", "nngeometry", "scikit-ntk", "scikit-learn", "numpy")
    versions = {name: version(name) for name in names}
    print(json.dumps(versions | {"python": sys.version.split()[0]}), file=answers)
    name, run = None, None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if name != request["case"]:
                name, run = request["case"], METHODS[request["method"]](request)
            start = time.perf_counter()
            kernel = run()
            seconds = time.perf_counter() - start
            kernel = kernel.detach().numpy() if hasattr(kernel, "detach") else kernel
            rows, columns = numpy.array(request["entries"]).T
            answer = {"seconds": seconds, "values": kernel[rows, columns].tolist()}
        except Exception as error:  # whatever it is, the other side is told
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


# The side that asks.


class Worker:
    """A library's process."""

    def __init__(self, command, threads):
        environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", JAX_PLATFORMS="cpu")
        # Torch's threads otherwise wait by spinning, which costs it several times the time on a shared machine.
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[variable] = str(threads)
        self.process = subprocess.Popen(
            [str(part) for part in command] + ["--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.versions = json.loads(self.process.stdout.readline())

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def end(self):
        """Ends it, and gives its peak memory in bytes."""
        # Not ru_maxrss, which a child inherits from what it was forked from.
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        self.process.stdin.close()
        self.process.wait()
        return int(peak.split()[1]) * 1024


class Ours:
    """The program ntk, started for every kernel."""

    def __init__(self, program, folder, threads):
        self.program, self.folder, self.threads = program, folder, threads

    def ask(self, command, network, weights, x, precision, entries, full=False):
        import numpy

        out = self.folder / "ours.npz"
        line = [self.program, command, "--net", self.folder / f"{network}.json", "--x1", x]
        line += ["--precision", precision, "--threads", self.threads, "--json", "--out", out]
        line += ["--get", "ntk"] if command == "kernel" else ["--weights", weights, "--pytorch"]
        line += ["--full"] if full else []
        start = time.perf_counter()
        done = subprocess.run([str(part) for part in line], capture_output=True, check=True)
        process = time.perf_counter() - start
        told = json.loads(done.stdout)
        rows, columns = numpy.array(entries).T
        values = numpy.load(out)["ntk"][rows, columns].tolist()
        return {
            "seconds": told["seconds"],
            "process": process,
            "peak": told["peak_memory"],
            "values": values,
        }


def images(file, number):
    import numpy

    with gzip.open(file) as stream:
        raw = numpy.frombuffer(stream.read(), numpy.uint8, offset=16)
    return raw.reshape(-1, 784)[:number] / 255.0


def differences(values, reference):
    """The largest difference over the largest entry, and the largest of each entry's own."""
    pairs = list(zip(values, reference))
    return {
        "over_largest": max(abs(a - b) for a, b in pairs) / max(abs(b) for _, b in pairs),
        "entry_by_entry": max(abs(a - b) / abs(b) for a, b in pairs),
    }


def summary(seconds):
    return {"min": min(seconds), "median": statistics.median(seconds), "rounds": seconds}


def measure(tools, rounds, reference):
    """Asks every tool once without counting, and then in turns."""
    print("  ", *tools, file=sys.stderr)
    first = {name: ask() for name, ask in tools.items()}
    answers = {name: [] for name in tools}
    for _ in range(rounds):
        for name, ask in tools.items():
            answers[name].append(ask())
    result = {}
    for name in tools:
        result[name] = {
            "seconds": summary([answer["seconds"] for answer in answers[name]]),
            "differences": differences(first[name]["values"], reference["values"]),
        }
        if "process" in first[name]:
            result[name]["process"] = summary([answer["process"] for answer in answers[name]])
    return result


def entries_of(order, seed):
    import numpy

    generator = numpy.random.default_rng(seed)
    diagonal = [[i, i] for i in range(0, order, max(order // 100, 1))]
    return generator.integers(order, size=(2000, 2)).tolist() + diagonal


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|---" + "|--:" * (len(header) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def number(value):
    return f"{value:.3g}"


def print_tables(record):
    for part, ours in (("traced", "ntk f32"), ("full", "ntk f32"), ("closed", "ntk f64")):
        rows = []
        for size, tools in record[part].items():
            base = tools[ours]["seconds"]
            for name, tool in tools.items():
                seconds = tool["seconds"]
                ratios = [a / b for a, b in zip(seconds["rounds"], base["rounds"])]
                rows.append(
                    [
                        f"{size}, {name}",
                        f"{number(seconds['min'])} ({number(seconds['median'])})",
                        number(seconds["min"] / base["min"]),
                        f"{number(min(ratios))} to {number(max(ratios))}",
                        number(tool["process"]["min"]) if "process" in tool else "",
                        f"{tool['differences']['over_largest']:.1e}",
                        f"{tool['differences']['entry_by_entry']:.1e}",
                    ]
                )
        print(part)
        heads = ["seconds", f"/ {ours}", "range", "process", "differs by", "entry by entry"]
        table(["n, tool", *heads], rows)
    rows = [[name, f"{peak / 1e6:.0f}"] for name, peak in record["peak"].items()]
    table(["peak, traced, n = 1000", "MB"], rows)


def main(arguments):
    import numpy
    import torch
    from safetensors.torch import save_file

    record = {part: {} for part in ("traced", "full", "closed")}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # The bias of PyTorch's layers starts small; any weights do.
        torch.manual_seed(0)
        layers = []
        for wide, narrow in zip(WIDTHS, WIDTHS[1:]):
            layers += [torch.nn.Linear(wide, narrow), torch.nn.ReLU()]
        state = torch.nn.Sequential(*layers[:-1]).state_dict()
        weights = folder / "weights.safetensors"
        save_file(state, weights)
        parameters = []
        for name, tensor in state.items():
            parameters.append(str(folder / f"{name}.npy"))
            array = numpy.ascontiguousarray(tensor.numpy().T)
            numpy.save(parameters[-1], array)
        for name, network in (("mlp", MLP), ("closed", CLOSED)):
            (folder / f"{name}.json").write_text(json.dumps(network))
        pixels = images(arguments.images, max(*CLOSED_SIZES, TRAIN + TEST))
        for size in CLOSED_SIZES:
            numpy.save(folder / f"x{size}-f32.npy", pixels[:size].astype("float32"))
            numpy.save(folder / f"x{size}-f64.npy", pixels[:size])

        ours = Ours(arguments.ntk, folder, arguments.threads)
        side = [sys.executable, __file__, "--serve"]
        peers = ROOT / "ntk-kernels/benches/peers/neural_tangents_kernels.py"
        networks = ROOT / "ntk-train/benches/peers/neural_tangents_networks.py"

        def start(script):
            return Worker([arguments.neural_tangents, script], arguments.threads)

        def request(method, size, entries, full=False, precision="f32"):
            return {
                "case": f"{method} {size} {full}",
                "method": method,
                "weights": str(weights),
                "x": str(folder / f"x{size}-{precision}.npy"),
                "entries": entries,
                "full": full,
            }

        def peer(size, entries, full=False):
            return {
                "case": f"{size} {full}",
                "work": "ntk",
                "network": MLP,
                "parameters": parameters,
                "x": str(folder / f"x{size}-f32.npy"),
                "trace": "full" if full else "traced",
                "entries": entries,
            }

        library = Worker(side, arguments.threads)
        tangents = start(networks)
        record["versions"] = {"libraries": library.versions, "neural_tangents": tangents.versions}
        told = subprocess.run([arguments.ntk, "--version"], capture_output=True, text=True)
        record["versions"]["ntk"] = told.stdout.strip()

        def run_ours(size, precision, entries, full=False):
            x = folder / f"x{size}-{precision}.npy"
            return ours.ask("ntk", "mlp", weights, x, precision, entries, full)

        for size in SIZES:
            entries = entries_of(size, size)
            tools = {
                "ntk f32": lambda: run_ours(size, "f32", entries),
                "ntk f64": lambda: run_ours(size, "f64", entries),
                "neural_tangents": lambda: tangents.ask(peer(size, entries)),
                "nngeometry": lambda: library.ask(request("gram", size, entries)),
                "torch.func, contraction": lambda: library.ask(
                    request("contraction", size, entries)
                ),
            }
            if size == SIZES[0]:
                tools["torch.func, products"] = lambda: library.ask(
                    request("vector_products", size, entries)
                )
            reference = run_ours(size, "f64", entries)
            record["traced"][size] = measure(tools, arguments.rounds, reference)

        for size in SIZES[1:3]:
            entries = entries_of(size * WIDTHS[-1], size)
            tools = {
                "ntk f32": lambda: run_ours(size, "f32", entries, True),
                "neural_tangents": lambda: tangents.ask(peer(size, entries, True)),
                "nngeometry": lambda: library.ask(request("gram", size, entries, True)),
            }
            reference = run_ours(size, "f64", entries, True)
            record["full"][size] = measure(tools, arguments.rounds, reference)
        library.end()
        tangents.end()

        library = Worker(side, arguments.threads)
        tangents = start(peers)

        def run_closed(size, precision, entries):
            x = folder / f"x{size}-{precision}.npy"
            return ours.ask("kernel", "closed", None, x, precision, entries)

        for size in CLOSED_SIZES:
            entries = entries_of(size, size)
            asked = {
                "case": f"closed {size}",
                "network": CLOSED,
                "x1": str(folder / f"x{size}-f32.npy"),
                "x2": None,
                "get": "ntk",
                "entries": entries,
            }
            tools = {
                "ntk f64": lambda: run_closed(size, "f64", entries),
                "ntk f32": lambda: run_closed(size, "f32", entries),
                "scikit-ntk, f64": lambda: library.ask(
                    request("skntk", size, entries, precision="f64")
                ),
                "neural_tangents, f32": lambda: tangents.ask(asked),
            }
            reference = run_closed(size, "f64", entries)
            record["closed"][size] = measure(tools, arguments.rounds, reference)
        library.end()
        tangents.end()

        # Peak memory, each in a process that does nothing else.
        size, entries = SIZES[-1], entries_of(SIZES[-1], 0)
        peak = {"ntk f32": run_ours(size, "f32", entries)["peak"]}
        for name, method in (
            ("torch and others, loaded alone", None),
            ("nngeometry", "gram"),
            ("torch.func, contraction", "contraction"),
        ):
            worker = Worker(side, arguments.threads)
            if method:
                worker.ask(request(method, size, entries))
            peak[name] = worker.end()
        for name, asked in (("neural_tangents, loaded alone", False), ("neural_tangents", True)):
            worker = start(networks)
            if asked:
                worker.ask(peer(size, entries))
            peak[name] = worker.end()
        record["peak"] = peak

        # Regression with scikit-learn's Gaussian process, and with `ntk predict`.
        from skntk import NeuralTangentKernel
        from sklearn.gaussian_process import GaussianProcessRegressor

        x, z = pixels[:TRAIN], pixels[TRAIN : TRAIN + TEST]
        y = numpy.random.default_rng(0).standard_normal((TRAIN, 3))
        kernel = NeuralTangentKernel(DEPTH, bias=0.0, bias_bounds="fixed")
        process = GaussianProcessRegressor(kernel, alpha=ALPHA, optimizer=None).fit(x, y)
        theirs = process.predict(z)
        for name, array in (("a", x), ("b", z), ("y", y)):
            numpy.save(folder / f"{name}.npy", array)
        line = [arguments.ntk, "kernel", "--net", folder / "closed.json", "--get", "ntk", "--quiet"]
        for first, second in (("a", None), ("b", "a")):
            more = ["--x1", folder / f"{first}.npy", "--out", folder / "k.npz"]
            more += ["--x2", folder / f"{second}.npy"] if second else []
            subprocess.run([str(part) for part in line + more], check=True)
            array = numpy.load(folder / "k.npz")["ntk"] / (DEPTH + 1)
            numpy.save(folder / f"k{first}.npy", array)
        line = [arguments.ntk, "predict", "--k-dd", folder / "ka.npy", "--k-td", folder / "kb.npy"]
        line += ["--y", folder / "y.npy", "--out", folder / "p.npz", "--quiet"]
        line += ["--diag-reg", ALPHA, "--diag-reg-absolute"]
        subprocess.run([str(part) for part in line], check=True)
        predicted = numpy.load(folder / "p.npz")["test"][-1]
        record["regression"] = float(abs(predicted - theirs).max() / abs(theirs).max())

    arguments.out.write_text(json.dumps(record, indent=2) + "\n")
    print_tables(record)
    print("regression differs by", record["regression"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--serve", action="store_true", help="answer requests, as a library's process")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ntk", type=Path, help="the program ntk")
    parser.add_argument("--neural-tangents", type=Path, help="a Python that has neural_tangents")
    parser.add_argument("--images", type=Path, help="train-images-idx3-ubyte.gz of MNIST")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "records/libraries.json")
    arguments = parser.parse_args()
    serve(arguments.threads) if arguments.serve else main(arguments)
