"""Writes evidence.json: log marginal likelihoods and their gradients by scikit-learn.

    pip install scikit-learn==1.9.1 scikit-ntk==1.2.1 && python scikit_evidence.py > evidence.json

The kernels are those that both have: dense alone is scikit-learn's DotProduct, rbf its RBF, and a
network with one hidden layer of relu, without biases, scikit-ntk's NeuralTangentKernel(1, bias=0).
Gradients are by the logarithms of the hyperparameters, those of scikit-learn turned into ours.
"""

import json

import numpy as np
from skntk import NeuralTangentKernel
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

N, D = 12, 3
RNG = np.random.default_rng(7)
X = RNG.normal(size=(N, D))
Y = np.sin(X @ RNG.normal(size=(D, 2))) + 0.1 * RNG.normal(size=(N, 2))


def evidence(kernel):
    """The value and the gradient by the kernel's own logarithms, by their names."""
    process = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None).fit(X, Y)
    value, gradient = process.log_marginal_likelihood(process.kernel_.theta, eval_gradient=True)
    order = [h.name for h in process.kernel_.hyperparameters if not h.fixed]
    return value, dict(zip((name.split("__")[-1] for name in order), gradient))


def case(layers, kernel, which, scale, noise, own):
    value, gradient = evidence(kernel)
    expected = {"noise": gradient["noise_level"], "output_scale": gradient["constant_value"]}
    expected.update({name: by * gradient[theirs] for name, (theirs, by) in own.items()})
    return {
        "network": {"parameterization": "ntk", "layers": layers},
        "kernel": which,
        "output_scale": scale,
        "noise": noise,
        "log_marginal_likelihood": value,
        "gradient_by_logarithms": expected,
    }


def main():
    b, scale, noise = 0.4, 1.7, 0.05
    scaled = ConstantKernel(scale / D) * DotProduct(b * np.sqrt(D)) + WhiteKernel(noise)
    cases = {
        "dense": case(
            [{"dense": {"b_std": b}}], scaled, "nngp", scale, noise, {"b_std": ("sigma_0", 1.0)}
        )
    }
    w, gamma = 1.3, 0.8
    length = np.sqrt(D / (2 * gamma * w**2))
    cases["rbf"] = case(
        [{"dense": {"w_std": w}}, {"rbf": {"gamma": gamma}}],
        ConstantKernel(scale) * RBF(length) + WhiteKernel(noise),
        "nngp",
        scale,
        noise,
        {"w_std": ("length_scale", -1.0), "gamma": ("length_scale", -0.5)},
    )
    # Theirs is divided by the number of layers; ours by the features, and w_std^2 = 2 is its c.
    cases["relu"] = case(
        ["dense", "relu", {"dense": {"w_std": np.sqrt(2)}}],
        ConstantKernel(2 * scale / D) * NeuralTangentKernel(1, 0.0, "fixed") + WhiteKernel(noise),
        "ntk",
        scale,
        noise,
        {},
    )
    print(json.dumps({"x": X.tolist(), "y": Y.tolist(), "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
