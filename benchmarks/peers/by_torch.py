"""The side of PyTorch: `torch.optim.RMSprop`, eps beside the square root.

Images are scaled once and stay in memory; no loss is fetched while training. Options:
`batches` is `slices` (of tensors, by `index_select`) or `loader` (`DataLoader` with its
default, in-process workers); `foreach`, `compile`, `channels_last` and `threads` are
what they are in PyTorch.
"""

import numpy as np
import torch

from benchmarks.peers import protocol


def model_of(weights, side):
    """The model with these weights, for images of `side` by `side` pixels."""
    layers = []
    depth = None
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        if kernel.ndim == 4:
            depth = kernel.shape[3]
            layer = torch.nn.Conv2d(kernel.shape[2], depth, kernel.shape[0], padding=1)
            layers += [layer, torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
            kernel, side = kernel.transpose(3, 2, 0, 1), side // 2
        else:
            if depth is not None:  # The images are (channel, height, width) here.
                kernel = kernel.reshape(side, side, depth, -1).transpose(2, 0, 1, 3)
                kernel = kernel.reshape(-1, kernel.shape[3])
                depth = None
            if not any(isinstance(x, torch.nn.Linear) for x in layers):
                layers.append(torch.nn.Flatten())
            layer = torch.nn.Linear(*kernel.shape)
            layers += [layer, torch.nn.ReLU()]
            kernel = kernel.T
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            layer.bias.copy_(torch.from_numpy(bias))
    return torch.nn.Sequential(*layers[:-1])


def tensors(part, assignment):
    """Images of (n, 1, height, width), scaled, and labels."""
    images = torch.from_numpy(protocol.scaled(part.images, assignment))
    labels = torch.from_numpy(part.labels.astype(np.int64))
    return images.permute(0, 3, 1, 2).contiguous(), labels


def batches_of(train, order, assignment):
    """The batches of an epoch."""
    size = assignment.batch_size
    if assignment.options.get("batches", "slices") == "loader":
        dataset = torch.utils.data.TensorDataset(*train)
        yield from torch.utils.data.DataLoader(
            dataset, batch_size=size, sampler=order.tolist()
        )
        return
    images, labels = train
    for chosen in torch.from_numpy(order).split(size):
        yield images.index_select(0, chosen), labels.index_select(0, chosen)


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    options = assignment.options
    if "threads" in options:
        torch.set_num_threads(options["threads"])
    train, test = (tensors(x, assignment) for x in protocol.data(assignment))
    diary.mark("data")
    start = protocol.start(assignment)
    model = model_of(start.weights, train[0].shape[-1])
    if options.get("channels_last", assignment.model == "cnn"):
        model = model.to(memory_format=torch.channels_last)
    forward = torch.compile(model) if options.get("compile") else model
    optimizer = torch.optim.RMSprop(
        model.parameters(),
        lr=assignment.learning_rate,
        alpha=assignment.decay,
        eps=assignment.eps,
        foreach=options.get("foreach"),
    )
    diary.mark("ready")

    def train_epoch(epoch):
        for images, labels in batches_of(train, start.orders[epoch], assignment):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(forward(images), labels)
            loss.backward()
            optimizer.step()

    def judge():
        with torch.inference_mode():
            logits = torch.cat([model(x) for x in test[0].split(1000)])
            loss = torch.nn.functional.cross_entropy(logits, test[1])
            accuracy = (logits.argmax(1) == test[1]).float().mean()
            return accuracy.item(), loss.item()

    diary.follow(assignment.epochs, train_epoch, judge)
    diary.print(threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
