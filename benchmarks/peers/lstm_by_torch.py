"""The side of PyTorch: `torch.nn.LSTM` of two layers, `torch.optim.RMSprop`.

Features stay in memory, scaled and stacked; batches are taken by `index_select`, and no
loss is fetched while training. Options: `first` is what the first axis is, "batch" as
the data lie, or "time" as the kernel reads them; with `trim` a batch is cut to its
longest sequence; with `pack` the LSTM is given what is true alone, packed.
"""

import numpy as np
import torch
from torch.nn.utils import rnn

from benchmarks.peers import protocol, spoken


class Model(torch.nn.Module):
    """As `spoken` has it, with these weights."""

    def __init__(self, drawn, first, pack):
        super().__init__()
        weights = spoken.weights(drawn)
        self.time_first, self.pack = first == "time", pack
        features, width = weights.into[0].shape[0], weights.again[0].shape[0]
        self.lstm = torch.nn.LSTM(
            features,
            width,
            2,
            dropout=spoken.DROPOUT,
            batch_first=not self.time_first,
        )
        self.dropout = torch.nn.Dropout(spoken.DROPOUT)
        self.out = torch.nn.Linear(width, spoken.OUTPUTS)
        named = {"out.weight": weights.out.T, "out.bias": np.zeros(spoken.OUTPUTS)}
        for i, (into, again, bias) in enumerate(zip(*weights[:3], strict=True)):
            named[f"lstm.weight_ih_l{i}"] = into.T
            named[f"lstm.weight_hh_l{i}"] = again.T
            named[f"lstm.bias_ih_l{i}"] = bias
            named[f"lstm.bias_hh_l{i}"] = np.zeros_like(bias)
        tensors = {name: torch.tensor(np.array(x)) for name, x in named.items()}
        self.load_state_dict(tensors)

    def forward(self, frames, true):
        """Batch → outputs."""
        if self.pack:
            return self.mean(self.packed(frames, true), true)
        if self.time_first:
            frames = frames.transpose(0, 1).contiguous()
        h = self.lstm(frames)[0]
        return self.mean(h.transpose(0, 1) if self.time_first else h, true)

    def packed(self, frames, true):
        """The same h where frames are true, 0 elsewhere."""
        length = true.sum(1).to(torch.int64)
        packed = rnn.pack_padded_sequence(
            frames, length, batch_first=True, enforce_sorted=False
        )
        whole = {"batch_first": True, "total_length": true.shape[1]}
        return rnn.pad_packed_sequence(self.lstm(packed)[0], **whole)[0]

    def mean(self, h, true):
        """Outputs of h."""
        true = true[..., None]
        return self.out((self.dropout(h) * true).sum(1) / true.sum(1))


def tensors(part):
    """Frames, which are true, digits."""
    frames, true = spoken.stacked(part)
    digits = part.label.astype(np.int64)
    return [torch.from_numpy(x) for x in (frames, true, digits)]


def trimmed(frames, true):
    """A batch as long as its longest."""
    longest = int(true.sum(1).max())
    return frames[:, :longest], true[:, :longest]


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    torch.manual_seed(assignment.seed)
    train, test = (tensors(x) for x in spoken.data(assignment.data))
    diary.mark("data")
    start = protocol.start(assignment)
    options = assignment.options
    model = Model(
        start.weights, options.get("first", "batch"), options.get("pack", False)
    )
    optimizer = torch.optim.RMSprop(
        model.parameters(),
        lr=assignment.learning_rate,
        alpha=assignment.decay,
        eps=assignment.eps,
    )
    diary.mark("ready")

    def train_epoch(epoch):
        model.train()
        order = torch.from_numpy(start.orders[epoch])
        for chosen in order.split(assignment.batch_size):
            frames, true, digits = (x.index_select(0, chosen) for x in train)
            if options.get("trim", False):
                frames, true = trimmed(frames, true)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(frames, true), digits)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), spoken.CLIP_NORM)
            optimizer.step()

    def judge():
        model.eval()
        with torch.inference_mode():
            logits = model(*test[:2])
        return protocol.judged(logits.numpy(), test[2].numpy())

    at_first = judge()
    diary.follow(assignment.epochs, train_epoch, judge)
    diary.print(at_first=at_first, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
