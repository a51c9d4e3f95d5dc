"""The rules of SEMANTICS.md in NumPy, extended precision, whole tensors, nothing clever.

State: spatial shape S (p = prod S positions), channels, K11 (n1,p,p), K22 (n2,p,p), K12, T12 (n1,n2,p,p).
usage: ref.py FOLDER...   compares with NAME.npz
"""
import json, math, os, sys
import numpy as np
R = np.longdouble
def root(P, q):
    """sqrt(P - q^2), exactly zero for what is parallel up to extended rounding (no data has angles below 1e-8)"""
    r2 = P - q * q
    return np.sqrt(np.where(r2 < R("1e-16") * P, 0, r2))
PI = R("3.14159265358979323846264338327950288")

class St:
    def __init__(s, **k): s.__dict__.update(k)
    def but(s, **k):
        d = dict(s.__dict__); d.update(k); return St(**d)
    def lin(s, f, **k):
        return s.but(K11=f(s.K11), K22=f(s.K22), K12=f(s.K12), T=f(s.T), **k)

def start(x1, x2):
    same = x2 is None or (x1.shape == x2.shape and np.array_equal(x1, x2))
    x2 = x1 if x2 is None else x2
    S, C = x1.shape[1:-1], x1.shape[-1]
    a = x1.astype(R).reshape(len(x1), -1, C); b = x2.astype(R).reshape(len(x2), -1, C)
    K12 = np.einsum("ipc,jqc->ijpq", a, b) / C
    return St(S=S, C=C, K11=np.einsum("ipc,iqc->ipq", a, a) / C, K22=np.einsum("ipc,iqc->ipq", b, b) / C,
              K12=K12, T=np.zeros_like(K12), same=same)

def windows(n, f, s, padding):
    """Per output position the list of f input positions; -1 is outside (zero)."""
    if padding == "valid":
        out, before = (n - f) // s + 1, 0
    else:
        out = -(-n // s)
        before = max((out - 1) * s + f - n, 0) // 2
    idx = np.array([[o * s - before + d for d in range(f)] for o in range(out)])
    if padding == "circular":
        return idx % n
    idx[(idx < 0) | (idx >= n)] = -1
    return idx

def grid(S, F, s, padding):
    """(positions out, filter offsets) -> flat input position or -1; and the output shape."""
    w = [windows(n, f, t, padding) for n, f, t in zip(S, F, s)]
    out = tuple(len(i) for i in w)
    if len(S) == 1:
        return w[0], out
    h, v = w
    g = h[:, None, :, None] * S[1] + v[None, :, None, :]
    bad = (h[:, None, :, None] < 0) | (v[None, :, None, :] < 0)
    g = np.where(bad, -1, g)
    return g.reshape(out[0] * out[1], F[0] * F[1]), out

def sel(K, i):
    """K[..., i, :][..., :, i] with zeros where i = -1"""
    Z = np.zeros(K.shape[:-2] + (K.shape[-2] + 1, K.shape[-1] + 1), K.dtype)
    Z[..., :-1, :-1] = K
    return Z[..., i, :][..., :, i]

def conv_mean(K, g):
    return sum(sel(K, g[:, d]) for d in range(g.shape[1])) / R(g.shape[1])

def pool(K, g, norm):
    L = np.zeros((g.shape[0], K.shape[-1] + 1), R)
    for o in range(g.shape[0]):
        for i in g[o]: L[o, i] += 1
    L = L[:, :-1] / R(norm)
    return L @ K @ L.T

def affine(s, A, w, b, param, fan, C, **k):
    w2, b2 = R(w) ** 2, R(b or 0.0) ** 2
    f = lambda K: w2 * A(K) + b2
    AK, AT = A(s.K12), A(s.T)
    K12 = w2 * AK + b2
    if param == "ntk":
        T = K12 + w2 * AT
    else:
        T = fan * AK + w2 * AT + (0 if b is None else 1)
    return s.but(K11=f(s.K11), K22=f(s.K22), K12=K12, T=T, C=C, **k)

def dd(K): return np.diagonal(K, axis1=-2, axis2=-1)

def apply(s, item, param):
    name, o = (item, {}) if isinstance(item, str) else next(iter(item.items()))
    w, b = o.get("w_std", 1.0), o.get("b_std")
    if name == "dense":
        return affine(s, lambda K: K, w, b, param, s.C, o.get("width", 512))
    if name == "conv":
        F = o.get("filter", [3, 3])
        g, out = grid(s.S, F, o.get("strides", [1] * len(F)), o.get("padding", "valid"))
        return affine(s, lambda K: conv_mean(K, g), w, b, param, s.C * g.shape[1], o.get("channels", 64), S=out)
    if name in ("avg_pool", "sum_pool"):
        F = o["window"]
        g, out = grid(s.S, F, o.get("strides", F), o.get("padding", "valid"))
        return s.lin(lambda K: pool(K, g, g.shape[1] if name == "avg_pool" else 1), S=out)
    p = int(np.prod(s.S))
    if name == "flatten":
        return s.lin(lambda K: dd(K).mean(-1)[..., None, None], S=(), C=s.C * p)
    if name == "global_avg_pool":
        return s.lin(lambda K: K.mean((-2, -1))[..., None, None], S=())
    if name == "global_sum_pool":
        return s.lin(lambda K: K.sum((-2, -1))[..., None, None], S=())
    if name == "identity":
        return s
    if name == "layer_norm":
        nd = len(s.S) + 2
        ax = sorted({a % nd for a in o.get("axes", [-1])} - {nd - 1})
        eps = R(o.get("eps", 1e-12))
        def var(K):
            v = dd(K).reshape((len(K),) + s.S)
            m = v.mean(tuple(ax), keepdims=True) if ax else v
            return np.sqrt(np.broadcast_to(m, v.shape).reshape(len(K), p) + eps)
        v1, v2 = var(s.K11), var(s.K22)
        n12 = v1[:, None, :, None] * v2[None, :, None, :]
        return s.but(K11=s.K11 / (v1[:, :, None] * v1[:, None, :]), K22=s.K22 / (v2[:, :, None] * v2[:, None, :]),
                     K12=s.K12 / n12, T=s.T / n12)
    if name == "dropout":
        f = np.ones((p, p), R); np.fill_diagonal(f, 1 / R(o["keep"]))
        n1, n2 = s.K12.shape[:2]
        m = np.ones((n1, n2, p, p), R)
        if s.same:
            m[np.arange(n1), np.arange(n1)] = f
        return s.but(K11=s.K11 * f, K22=s.K22 * f, K12=s.K12 * m, T=s.T * m)
    if name == "branch":
        r = [net(s, q, param) for q in o["paths"]]
        if o.get("merge", "sum") == "sum":
            add = lambda k: sum(getattr(q, k) for q in r)
            return r[0].but(K11=add("K11"), K22=add("K22"), K12=add("K12"), T=add("T"))
        mul = lambda k: math.prod(getattr(q, k) for q in r)
        T = sum(r[i].T * math.prod(r[j].K12 for j in range(len(r)) if j != i) for i in range(len(r)))
        return r[0].but(K11=mul("K11"), K22=mul("K22"), K12=mul("K12"), T=T)
    if name == "attention":
        b2 = R(b) ** 2
        c = lambda k: R(o.get(k, 1.0))
        qk, vo = c("w_query_std") * c("w_key_std"), (c("w_value_std") * c("w_out_std")) ** 2
        if o.get("linear_scaling", True):
            G1, G2 = qk * s.K11, qk * s.K22
            f = lambda A, K, B: vo * (A @ K @ np.swapaxes(B, -1, -2))
            B1, B2 = G1[:, None], G2[None]
            K = f(B1, s.K12, B2)
            return s.but(K11=f(G1, s.K11, G1) + b2, K22=f(G2, s.K22, G2) + b2, K12=K + b2,
                         T=2 * K + f(B1, s.T, B2) + b2, C=o.get("channels", 64))
        al = qk * qk * vo
        q2 = lambda K: al * K * (K * K).sum((-2, -1), keepdims=True)
        K = q2(s.K12)
        T = 4 * K + al * (s.T * (s.K12 ** 2).sum((-2, -1), keepdims=True)
                          + 2 * s.K12 * (s.K12 * s.T).sum((-2, -1), keepdims=True)) + b2
        return s.but(K11=q2(s.K11) + b2, K22=q2(s.K22) + b2, K12=K + b2, T=T, C=o.get("channels", 64))
    v1, v2 = dd(s.K11), dd(s.K22)
    K12, D = dual(name, o, v1[:, None, :, None], v2[None, :, None, :], s.K12)
    sq = lambda K, v: dual(name, o, v[:, :, None], v[:, None, :], K)[0]
    return s.but(K11=sq(s.K11, v1), K22=sq(s.K22, v2), K12=K12, T=s.T * D)

def mono(n, q1, q2, q):
    # E u^n v^n = sum over m pairs u-v: n!^2/(m! ((n-m)/2)!^2 2^(n-m)) q^m (q1 q2)^((n-m)/2), n - m even
    t = 0 * q
    for m in range(n % 2, n + 1, 2):
        j = (n - m) // 2
        t = t + R(math.factorial(n) ** 2) / (math.factorial(m) * math.factorial(j) ** 2 * 4 ** j) * q ** m * (q1 * q2) ** j
    return t

def jn(n, th):
    """Cho & Saul: (-1)^n sin^(2n+1) (1/sin d/dth)^n ((pi-th)/sin th), by the closed forms up to 3"""
    s, c = np.sin(th), np.cos(th); a = PI - th
    return [a, s + a * c, 3 * s * c + a * (1 + 2 * c * c),
            4 * s ** 3 + 15 * s * c * c + a * (9 * s * s * c + 15 * c ** 3)][n]

def dual(name, o, q1, q2, q):
    q1, q2, q = np.broadcast_arrays(q1, q2, q)
    P, S = q1 * q2, q1 + q2
    g = lambda k, d: R(o.get(k, d))
    if name in ("relu", "abs", "leaky_relu", "abrelu", "sign"):
        a, b = {"relu": (0, 1), "abs": (-1, 1), "leaky_relu": (g("slope", 0), 1), "abrelu": (g("a", 0), g("b", 1)), "sign": (0, 0)}[name]
        r = root(P, q)
        th = np.arctan2(r, q)
        if name == "sign":
            K = 1 - 2 * th / PI
            return np.where(P == 0, 0, K), 0 * q
        D = (a * a + b * b) / R(2) - (a - b) ** 2 * th / (2 * PI)
        return (a - b) ** 2 * r / (2 * PI) + D * q, D
    if name in ("erf", "sigmoid_like"):
        if name == "sigmoid_like": a, b, c = R(.5), 1 / R("2.4020563531719796"), R(.5)
        else: a, b, c = g("a", 1), g("b", 1), g("c", 0)
        b2 = b * b
        r = np.sqrt((1 + 2 * b2 * q1) * (1 + 2 * b2 * q2) - 4 * (b2 * q) ** 2)
        return a * a * 2 / PI * np.arctan2(2 * b2 * q, r) + c * c, a * a * b2 * 4 / (PI * r)
    if name in ("sin", "cos"):
        a, b, c = g("a", 1), g("b", 1), g("c", 0)
        if name == "cos": c = c + PI / 2
        s1, s2 = np.exp(b * b * (q - S / 2)), np.exp(-b * b * (q + S / 2)) * np.cos(2 * c)
        return a * a / 2 * (s1 - s2), a * a * b * b / 2 * (s1 + s2)
    if name == "rbf":
        K = np.exp(-g("gamma", 1) * (S - 2 * q)); return K, 2 * g("gamma", 1) * K
    if name == "gelu":
        P1 = (1 + q1) * (1 + q2); d2 = P1 - q * q; d = np.sqrt(d2); ph = np.arctan2(q, d)
        return (q / 4 + ((q * q + P * d2) / (P1 * d) + q * ph) / (2 * PI),
                R(.25) + ph / (2 * PI) + q / (2 * PI * d) * (1 / d2 + (1 - P) / P1 + 1))
    if name == "exp":
        a, b = g("a", 1), g("b", 1)
        K = a * a * np.exp(b * b * (S / 2 + q)); return K, b * b * K
    if name == "gaussian":
        a, b = g("a", 1), g("b", -1)
        r = np.sqrt((1 - 2 * b * q1) * (1 - 2 * b * q2) - 4 * b * b * q * q)
        return a * a / r, a * a * 4 * b * b * q / r ** 3
    if name == "exp_normalized":
        n = np.sqrt(P); e = np.exp(g("gamma", 1) * (q / n + g("shift", -1)))
        return n * e, g("gamma", 1) * e
    if name == "gabor":
        d = 4 * (P - q * q); D0 = 2 * S + d + 1
        eL, eR = np.exp(-(S + d + 2 * q) / (2 * D0)), np.exp(2 * q / D0)
        A, B = 1 + 2 * S + 4 * (q * q + P), 4 * q * (d + 3 * S + 2)
        return eL * (eR - 1) / (2 * np.sqrt(D0)), eL * ((A - B) + eR * (A + B)) / (2 * D0 ** R(2.5))
    if name == "hermite":
        n = o["degree"]; return q ** n, n * q ** max(n - 1, 0)
    if name == "monomial":
        n = o["degree"]; return mono(n, q1, q2, q), n * n * (mono(n - 1, q1, q2, q) if n else 0 * q)
    if name == "rectified_monomial":
        n = o["degree"]
        th = np.arctan2(root(P, q), q)
        f = lambda k: P ** (R(k) / 2) / (2 * PI) * jn(k, th)
        return f(n), n * n * (f(n - 1) if n else 0 * q)
    if name == "polynomial":
        c = [R(v) for v in o["coefficients"]]
        rho = q / np.sqrt(P); K, D = 0 * q, 0 * q
        for l in range(len(c)):
            r = lambda v: sum(c[l + 2 * i] * math.factorial(2 * i + l) / (R(2) ** i * math.factorial(i) * np.sqrt(R(math.factorial(l)))) * v ** (i + R(l) / 2)
                              for i in range((len(c) - 1 - l) // 2 + 1))
            rr = r(q1) * r(q2)
            K = K + rr * rho ** l
            if l: D = D + rr * l * rho ** (l - 1) / np.sqrt(P)
        return K, D
    if name == "quadrature":
        x, w = np.polynomial.hermite.hermgauss(o["nodes"])
        x, w = x.astype(R), w.astype(R)
        sg = lambda z: 1 / (1 + np.exp(-z))
        f, df = {"tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2), "softplus": (lambda z: np.logaddexp(z, R(0)), sg),
                 "sigmoid": (sg, lambda z: sg(z) * (1 - sg(z))),
                 "silu": (lambda z: z * sg(z), lambda z: sg(z) * (1 + z * (1 - sg(z))))}[o["function"]]
        a = np.sqrt(2 * q1); c = np.where(q1 == 0, 0, q / np.sqrt(np.where(q1 == 0, 1, q1))); e = np.sqrt(np.maximum(q2 - c * c, 0))
        K, D = 0 * q, 0 * q
        for i in range(len(x)):
            u = a * x[i]
            fu, du = f(u), df(u)
            for j in range(len(x)):
                v = np.sqrt(R(2)) * (c * x[i] + e * x[j])
                K = K + w[i] * w[j] * fu * f(v); D = D + w[i] * w[j] * du * df(v)
        return K / PI, D / PI
    raise ValueError(name)

def net(s, layers, param):
    for l in layers:
        s = apply(s, l, param)
    return s

def kernels(network, x1, x2=None):
    s = net(start(x1, x2), network["layers"], network.get("parameterization", "ntk"))
    f = lambda K: K[..., 0, 0] if s.S == () else K
    return f(s.K12), f(s.T)

def compare(f, R_=None):
    n = json.load(open(f)); z = np.load(f[:-5] + ".npz")
    out = []
    for keys, b in ((("nngp", "ntk"), z["x2"]), (("nngp_sym", "ntk_sym"), None)):
        for k, v in zip(keys, kernels(n, z["x1"], b)):
            ok = np.isfinite(z[k])
            sc = np.abs(v[ok]).max() if ok.any() else 1
            out.append((float(np.abs(v - z[k])[ok].max() / max(sc, R(1e-300))) if ok.any() else np.nan, int((~ok).sum())))
    return out

if __name__ == "__main__":
    import warnings; warnings.simplefilter("ignore")
    for d in sys.argv[1:]:
        for f in sorted(os.listdir(d)):
            if f.endswith(".json"):
                try:
                    r = compare(os.path.join(d, f))
                    bad = " <-- OFF" if max(np.nan_to_num(e[0], nan=0) for e in r) > 1e-11 else ""
                    print(f"{f[:-5]:42s} nngp {r[0][0]:.1e} ntk {r[1][0]:.1e} sym {r[2][0]:.1e} {r[3][0]:.1e}" + (f" nonfinite {sum(e[1] for e in r)}" if sum(e[1] for e in r) else "") + bad, flush=True)
                except Exception as e:
                    print(f"{f[:-5]:42s} {type(e).__name__} {e}")
