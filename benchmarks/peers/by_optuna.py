"""The side of Optuna: it drives an ordinary training by `torch.optim.RMSprop`.

The points are those of all sides (`enqueue_trial`). `options["batches"]` is `loader` or
`slices`, as in `by_torch`.
"""

from importlib.metadata import version

import optuna
import torch

from benchmarks.peers import by_torch, protocol


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    train, test = (by_torch.tensors(x, assignment) for x in protocol.data(assignment))
    diary.mark("data")
    start = protocol.start(assignment)
    diary.mark("ready")
    losses = []

    def objective(trial):
        model = by_torch.model_of(start.weights, train[0].shape[-1])
        optimizer = torch.optim.RMSprop(
            model.parameters(),
            lr=trial.suggest_float("learning_rate", 1e-6, 1.0, log=True),
            alpha=trial.suggest_float("decay", 0.0, 0.9999),
            momentum=trial.suggest_float("momentum", 0.0, 0.99),
            eps=trial.suggest_float("eps", 1e-12, 1.0, log=True),
        )
        for images, labels in by_torch.batches_of(train, start.orders[0], assignment):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            logits = torch.cat([model(x) for x in test[0].split(1000)])
            losses.append(torch.nn.functional.cross_entropy(logits, test[1]).item())
        return losses[-1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for configuration in assignment.options["configurations"]:
        study.enqueue_trial(configuration)
    study.optimize(objective, n_trials=len(assignment.options["configurations"]))
    diary.mark("ended")
    diary.print(losses=losses, ran=len(losses), optuna=version("optuna"))


if __name__ == "__main__":
    main()
