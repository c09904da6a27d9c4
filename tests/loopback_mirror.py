"""A tiny image set, and mirrors of it on this machine that behave well or badly."""

import contextlib
import gzip
import hashlib
import http.server
import socket
import threading
import time

import numpy as np

from rmsprop_jax.train.data.idx import header
from rmsprop_jax.train.data.rows import IdxFile, ImageSet

SHAPES = {
    "train-images-idx3-ubyte": (6, 4, 4),
    "train-labels-idx1-ubyte": (6,),
    "t10k-images-idx3-ubyte": (3, 4, 4),
    "t10k-labels-idx1-ubyte": (3,),
}


def isolate(monkeypatch, folder):
    """No data, cache or proxy of the user's; the cache is `folder`/cache."""
    monkeypatch.delenv("RMSPROP_JAX_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def tiny_files(seed=0):
    """The four files, decompressed."""
    rng = np.random.default_rng(seed)
    arrays = {name: rng.integers(0, 10, s, np.uint8) for name, s in SHAPES.items()}
    return {name: header(a.shape) + a.tobytes() for name, a in arrays.items()}


def packed(files):
    """The same with .gz."""
    return {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in files.items()}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def tiny_set(mirrors=("http://127.0.0.1:9/",), seed=0, name="tiny", **hashes):
    """A row for `tiny_files(seed)`; `hashes` make its fields from the bytes."""
    hashes = hashes or {"sha256": sha256}
    files = [
        IdxFile(file, SHAPES[file], **{k: f(data) for k, f in hashes.items()})
        for file, data in tiny_files(seed).items()
    ]
    return ImageSet(name, *files, mirrors=tuple(mirrors), folders=(name,))


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@contextlib.contextmanager
def mirror(behave, requests=None):
    """The address of a server that answers each file by `behave(handler, name)`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if requests is not None:
                requests.append(self.path)
            with contextlib.suppress(ConnectionError):
                behave(self, self.path.rpartition("/")[2])

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler, data, claimed=None):
    handler.send_response(200)
    handler.send_header(
        "Content-Length", str(len(data) if claimed is None else claimed)
    )
    handler.end_headers()
    handler.wfile.write(data)
    handler.wfile.flush()


def serving(files):
    """A mirror as it should be."""
    return lambda handler, name: send(handler, files[name])


def status(code):
    return lambda handler, _: handler.send_error(code)


def breaking_off(files):
    """Half a file, of which the header promises the whole; then the line is closed."""

    def behave(handler, name):
        send(handler, files[name][: len(files[name]) // 2], len(files[name]))

    return behave


def stalling(files, until, length=None):
    """Half a file, and then nothing more until the event `until`."""

    def behave(handler, name):
        send(handler, files[name][: len(files[name]) // 2], length or len(files[name]))
        until.wait(100)

    return behave


def silent(until):
    """Takes the request and says nothing until the event `until`."""
    return lambda *_: until.wait(100)


def dripping(files, pause):
    """A few bytes at a time, `pause` seconds apart."""

    def behave(handler, name):
        send(handler, b"", len(files[name]))
        for i in range(0, len(files[name]), 16):
            handler.wfile.write(files[name][i : i + 16])
            handler.wfile.flush()
            time.sleep(pause)

    return behave


def redirecting(to):
    def behave(handler, name):
        handler.send_response(302)
        handler.send_header("Location", to + name)
        handler.end_headers()

    return behave


@contextlib.contextmanager
def refusing():
    """The address of a port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@contextlib.contextmanager
def black_hole():
    """The address of a port that neither accepts nor refuses: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
