"""RMSProps that nothing installable computes, from their sources, line by line.

Written from the sources alone, in their own words and order, so as to be an opinion
apart from `rmsprop_jax`. `python -m golden.transcribed`, run in `tests`, writes
`caffe.npz`, `dqn.npz` and `hinton.npz`.
"""

import datetime
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DTYPES = ["float32", "float64"]


def caffe(net, grads, rates, *, rms_decay=0.99, delta=1e-8, weight_decay=0.0):
    """BVLC/caffe 95a73da: src/caffe/solvers/rmsprop_solver.cpp, on the CPU."""
    # proto/caffe.proto: `optional float`, whatever Dtype the net has.
    rms_decay, delta, local_decay = (
        net.dtype.type(np.float32(x)) for x in (rms_decay, delta, weight_decay)
    )
    data, history = net.copy(), np.zeros_like(net)
    for diff, local_rate in zip(grads.copy(), rates, strict=True):
        if local_decay:  # sgd_solver.cpp, Regularize: caffe_axpy
            diff = diff + local_decay * data
        update = diff**2  # caffe_powx(…, 2)
        history = (1 - rms_decay) * update + rms_decay * history  # caffe_cpu_axpby
        update = history**0.5  # caffe_powx(…, 0.5)
        update = update + delta  # caffe_add_scalar
        update = diff / update  # caffe_div
        diff = local_rate * update  # caffe_cpu_axpby, onto 0
        data = data - diff  # Net::Update → Blob::Update: caffe_axpy(−1)
        yield data


def dqn(network, grads, rates, *, wc=0.0):
    """Nature DQN: dqn/NeuralQLearner.lua:257-277, qLearnMinibatch."""
    w, g, g2 = network.copy(), np.zeros_like(network), np.zeros_like(network)
    deltas = np.zeros_like(network)
    for gradient, lr in zip(grads, rates, strict=True):
        dw = -gradient  # delta · ∂Q/∂w: uphill
        dw = dw + -wc * w
        g = g * 0.95 + 0.05 * dw
        tmp = dw * dw
        g2 = g2 * 0.95 + 0.05 * tmp
        tmp = g * g
        tmp = tmp * -1
        tmp = tmp + g2
        tmp = tmp + 0.01
        tmp = np.sqrt(tmp)
        deltas = deltas * 0 + lr * (dw / tmp)
        w = w + deltas
        yield w


def hinton(w, grads, rates):
    """Lecture 6e, slide 29: MeanSquare(w, t) = 0.9 MeanSquare(w, t−1) + 0.1 (∂E/∂w)².

    "Dividing the gradient by √MeanSquare(w, t) makes the learning work much better":
    no ε, and nothing on what 0 / 0 might be. Here it is 0.
    """
    w, mean_square = w.copy(), np.zeros_like(w)
    for gradient, learning_rate in zip(grads, rates, strict=True):
        mean_square = 0.9 * mean_square + 0.1 * gradient**2
        root, divided = np.sqrt(mean_square), np.zeros_like(w)
        np.divide(gradient, root, out=divided, where=root > 0)
        w = w - learning_rate * divided
        yield w


TRANSCRIBED = {
    "caffe": {
        "function": caffe,
        "class": "caffe.RMSPropSolver",
        "source": "BVLC/caffe 95a73da: src/caffe/solvers/rmsprop_solver.cpp:14-50, "
        "src/caffe/solvers/sgd_solver.cpp Regularize, src/caffe/proto/caffe.proto",
        "cases": {
            "plain": {"rms_decay": 0.99, "delta": 1e-8, "weight_decay": 0},
            "weight_decay_l2": {"rms_decay": 0.99, "delta": 1e-8, "weight_decay": 0.01},
            "big_eps": {"rms_decay": 0.99, "delta": 1e-3, "weight_decay": 0},
            "decay_999": {"rms_decay": 0.999, "delta": 1e-8, "weight_decay": 0},
        },
    },
    "dqn": {
        "function": dqn,
        "class": "dqn.NeuralQLearner",
        "source": "google-deepmind/dqn 9d9b1d1: dqn/NeuralQLearner.lua:257-277",
        "cases": {"plain": {"wc": 0}, "weight_decay_l2": {"wc": 0.01}},
    },
    "hinton": {
        "function": hinton,
        "class": "the lecture",
        "source": "Tieleman & Hinton (2012), Lecture 6e, COURSERA, slide 29",
        "cases": {"plain": {}},
    },
}


def main():
    problem = np.load(HERE / "problem.npz")
    for name, row in TRANSCRIBED.items():
        arrays, described = {}, {}
        for case, args in row["cases"].items():
            for dtype in DTYPES:
                start, grads, rates = (
                    problem[x].astype(dtype) for x in ("params0", "grads", "lrs")
                )
                path = np.stack([*row["function"](start, grads, rates, **args)])
                assert path.dtype == dtype, name
                arrays[f"{case}/{dtype}/params"] = path
            described[case] = {
                "class": row["class"],
                "args": args,
                "dtypes": DTYPES,
                "slots": [],
            }
        meta = {
            "framework": name,
            "how": "transcribed, not run",
            "source": row["source"],
            "date": datetime.date.today().isoformat(),
            "cases": described,
        }
        np.savez_compressed(HERE / f"{name}.npz", meta=json.dumps(meta), **arrays)


if __name__ == "__main__":
    main()
