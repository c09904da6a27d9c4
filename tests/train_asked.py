"""`evaluate` and `predict` asked in this process, and images in files to ask about."""

import json

from PIL import Image

from rmsprop_jax.train import cli


def said(capsys, *arguments):
    """Status, output and errors of a command."""
    status = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def evaluated(capsys, *arguments):
    status, out, _ = said(capsys, "evaluate", *arguments, "--json")
    assert status == 0
    return json.loads(out)


def written(folder, images):
    """PNG files of images, in their order."""
    folder.mkdir()
    files = [folder / f"{i:03}.png" for i in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image[..., 0]).save(file)
    return files


def predicted(capsys, *arguments):
    status, out, err = said(capsys, "predict", *arguments, "--json")
    return status, [json.loads(line) for line in out.splitlines()], err
