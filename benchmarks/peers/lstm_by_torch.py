"""The side of PyTorch: `torch.nn.LSTM` of two layers, `torch.optim.RMSprop`.

Features stay in memory, scaled and stacked; batches are taken by `index_select`, and no
loss is fetched while training. The option `first` is what the axis of the batch is:
"batch" as the data lie, or "time" as the kernel reads them.
"""

import numpy as np
import torch

from benchmarks.peers import protocol, spoken


class Model(torch.nn.Module):
    """As `spoken` has it, with these weights."""

    def __init__(self, drawn, first):
        super().__init__()
        weights = spoken.weights(drawn)
        self.time_first = first == "time"
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
        if self.time_first:
            frames = frames.transpose(0, 1).contiguous()
        h = self.dropout(self.lstm(frames)[0])
        if self.time_first:
            h = h.transpose(0, 1)
        true = true[..., None]
        return self.out((h * true).sum(1) / true.sum(1))


def tensors(part):
    """Frames, which are true, digits."""
    frames, true = spoken.stacked(part)
    digits = part.label.astype(np.int64)
    return [torch.from_numpy(x) for x in (frames, true, digits)]


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    torch.manual_seed(assignment.seed)
    train, test = (tensors(x) for x in spoken.data(assignment.data))
    diary.mark("data")
    start = protocol.start(assignment)
    model = Model(start.weights, assignment.options.get("first", "batch"))
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
