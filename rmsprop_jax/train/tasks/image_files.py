"""An image file of any kind, made into what a task's images are.

Each data set was made out of larger images in a way of its own, and a model sees well
only what was made alike: `FITS` has one row for each.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

Invert = Literal["auto", "yes", "no"]

# Below this contrast, of 1 between black and white, a page counts as empty.
LEAST_CONTRAST = 0.1
# What is fainter than this share of the darkest ink is paper, dirt or shadow.
PAPER = 0.25


class Fit(NamedTuple):
    """How a data set made its images.

    Attributes:
        side: Of its images, which are taken as they are.
        make: Ink in [0, 1], cut to its bounding box → the image, in [0, 1].
    """

    side: int
    make: Callable[[np.ndarray], np.ndarray]


def read(path: Path, task: str, invert: Invert = "auto") -> np.ndarray:
    """The image as the models of `task` see it: uint8 of (side, side, 1), light ink.

    Args:
        path: Any file that Pillow reads; of several frames the first one counts.
        task: A key of `FITS`.
        invert: Whether the ink is darker than the page; auto: whether what differs
            most from the brightness at the border is darker.

    Raises:
        ValueError: If it is no image, or there is nothing on it; names the file.
        FileNotFoundError: If there is no such file.
    """
    fit = FITS[task]
    grey = _grey(path)
    darkest, lightest = float(grey.min()), float(grey.max())
    border = np.concatenate([grey[[0, -1]].ravel(), grey[:, [0, -1]].ravel()])
    page = {"yes": lightest, "no": darkest, "auto": float(np.median(border))}[invert]
    dark_ink = invert == "yes" or page - darkest > lightest - page
    contrast = page - darkest if dark_ink else lightest - page
    if contrast < LEAST_CONTRAST:
        ink = "darker" if dark_ink else "lighter"
        raise ValueError(
            f"{path}: expected a drawing, but nothing on it is {ink} than its border; "
            "is the page empty, or --invert wrong?"
        )
    if grey.shape == (fit.side, fit.side):
        as_is = 1 - grey if dark_ink else grey
        return np.rint(255 * as_is).astype(np.uint8)[..., np.newaxis]
    ink = np.clip((page - grey if dark_ink else grey - page) / contrast, 0, 1)
    image = fit.make(_cut(ink))
    return np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)[..., np.newaxis]


def _grey(path: Path) -> np.ndarray:
    """Brightness from 0, black, to 1, white."""
    from PIL import Image, ImageOps

    if path.is_dir():
        raise ValueError(f"{path}: expected an image file, it is a folder.")
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            image.load()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError for some broken files.
        raise ValueError(
            f"{path}: expected an image, such as PNG or JPEG; Pillow says: {error}"
        ) from None
    if image.mode.startswith("I;16"):
        return np.asarray(image, np.float64) / 65535
    if image.mode in ("I", "F"):
        return _deep(np.asarray(image, np.float64))
    if image.has_transparency_data:
        return _on_a_page(np.asarray(image.convert("RGBA"), np.float64) / 255)
    return np.asarray(image.convert("RGB").convert("L"), np.float64) / 255


def _deep(values: np.ndarray) -> np.ndarray:
    """Numbers of which nobody says what white is: 1, 255, 65535 or the highest."""
    values = np.nan_to_num(values)
    highest = values.max(initial=0.0)
    white = next((w for w in (1.0, 255.0, 65535.0) if highest <= w), highest)
    return np.clip(values / white, 0, 1)


def _on_a_page(rgba: np.ndarray) -> np.ndarray:
    """What is transparent shows a page, black if the ink is light and else white."""
    alpha = rgba[..., 3]
    grey = rgba[..., :3] @ np.array([0.299, 0.587, 0.114])
    ink = float((grey * alpha).sum() / max(float(alpha.sum()), 1e-9))
    return alpha * grey + (1 - alpha) * float(ink <= 0.5)


def _cut(ink: np.ndarray) -> np.ndarray:
    """The ink without what is paper, cut to its bounding box."""
    seen = ink > PAPER
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    ink = np.where(seen, ink, 0.0)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each pixel the mean of those it covers; smooth where it grows."""
    from PIL import Image

    small = Image.fromarray(ink.astype(np.float32))
    made = small.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(made, np.float64)


def _inside(ink: np.ndarray, side: int) -> np.ndarray:
    """Scaled until it fills `side` in one direction, its ink as dark as before."""
    scale = side / max(ink.shape)
    height, width = (max(1, round(scale * n)) for n in ink.shape)
    made = _resized(ink, height, width)
    return made / max(made.max(), 1e-9)


def _mnist(ink: np.ndarray) -> np.ndarray:
    """In a box of 20 x 20, its centre of mass in the centre of 28 x 28.

    LeCun, Bottou, Bengio and Haffner (1998), "Gradient-Based Learning Applied to
    Document Recognition", section III.A.
    """
    box = _inside(ink, 20)
    image = np.zeros((28, 28))
    first = []
    for axis, length in enumerate(box.shape):
        weights = box.sum(axis=1 - axis)
        # Of the two pixels in the middle, the data set's centre is the second one.
        centre = float((weights * np.arange(length)).sum() / weights.sum())
        first.append(int(np.clip(round(14 - centre), 0, 28 - length)))
    y, x = first
    image[y : y + box.shape[0], x : x + box.shape[1]] = box
    return image


def _fashion(ink: np.ndarray) -> np.ndarray:
    """Filling 28 x 28 in one direction, in the middle of the other.

    Xiao, Rasul and Vollgraf (2017), "Fashion-MNIST", arXiv:1708.07747, section 2.
    """
    box = _inside(ink, 28)
    rows, columns = (28 - n for n in box.shape)
    return np.pad(
        box, ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    )


# Of the data set's 32 x 32 bitmaps 31 % are ink, whichever the digit: the strokes had
# been made thicker or thinner until they were.
_INK = 0.31


def _digits(ink: np.ndarray) -> np.ndarray:
    """Counts of ink in blocks of 4 x 4, of a bitmap of 32 x 32 that is 31 % ink.

    The digit fills 20 x 32 of it, stretched to at most twice its width, and so a plain
    1 stays one. Found on the data, which agree with: Garris et al. (1994), "NIST
    Form-Based Handprint Recognition System", and the notes of Alpaydin and Kaynak.
    """
    height, width = ink.shape
    width = int(np.clip(round(2 * 32 * width / height), 4, 20))
    # A frame, since strokes grow beyond the box.
    page = np.zeros((48, 48))
    left = 8 + (32 - width) // 2
    page[8:40, left : left + width] = _resized(ink, 32, width)
    smooth = _blurred(page, 1.5)[8:40, 8:40]
    bitmap = smooth >= np.quantile(smooth, 1 - _INK)
    return bitmap.reshape(8, 4, 8, 4).mean(axis=(1, 3))


def _blurred(image: np.ndarray, deviation: float) -> np.ndarray:
    """Spread along both axes as a normal distribution."""
    reach = int(3 * deviation)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        image = np.apply_along_axis(np.convolve, axis, image, weights, mode="same")
    return image


FITS: dict[str, Fit] = {
    "mnist": Fit(28, _mnist),
    "fashion-mnist": Fit(28, _fashion),
    "digits": Fit(8, _digits),
}


def picture_of(image: np.ndarray) -> Any:
    """An image as Pillow has it, to be looked at or saved."""
    from PIL import Image

    return Image.fromarray(image[..., 0])
