"""Image files and files of rows, as the models of a task see them."""

import numpy as np
import pytest
from PIL import Image

from rmsprop_jax.train.data import digits
from rmsprop_jax.train.tasks import image_files, row_files


def stroke(height=300, width=200, top=60, left=80, tall=120, wide=30):
    """A black bar on a white page, as brightness from 0 to 255."""
    page = np.full((height, width), 255, np.uint8)
    page[top : top + tall, left : left + wide] = 0
    return page


def read(tmp_path, image, task="mnist", name="image.png", **options):
    """What becomes of an image, or of an array, that goes through a file."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    image.save(tmp_path / name)
    return image_files.read(tmp_path / name, task, **options)


@pytest.fixture
def expected(tmp_path):
    return read(tmp_path, stroke(), name="expected.png")


@pytest.mark.parametrize(("task", "side"), [("mnist", 28), ("digits", 8)])
def test_an_image_of_the_models_size_is_taken_as_it_is(tmp_path, task, side):
    image = np.zeros((side, side), np.uint8)
    image[2:-2, 3:5] = np.arange(2 * (side - 4)).reshape(-1, 2) * 4 + 40
    for given in (image, 255 - image):
        seen = read(tmp_path, given, task)
        np.testing.assert_array_equal(seen, image[..., None], strict=True)


def test_no_digit_of_the_test_data_is_taken_for_a_dark_one(tmp_path):
    for image in digits.load().test["image"]:
        seen = read(tmp_path, image[..., 0], "digits", name="digit.bmp")
        np.testing.assert_array_equal(seen, image)


def test_the_ink_lies_in_20_x_20_and_its_mass_in_the_middle(tmp_path):
    page = stroke(tall=150, wide=60)
    page[60:90, 80:180] = 0  # to the right, so that box and mass have other centres
    seen = read(tmp_path, page)[..., 0].astype(float)
    rows, columns = (np.flatnonzero(seen.max(axis=axis)) for axis in (1, 0))
    assert rows[-1] - rows[0] + 1 == 20
    assert columns[-1] - columns[0] + 1 == round(20 * 100 / 150)
    for axis in (0, 1):
        weights = seen.sum(axis=1 - axis)
        assert abs((weights * np.arange(28)).sum() / weights.sum() - 14) <= 0.5
    assert seen.max() == 255


@pytest.mark.parametrize("scale", [2, 3])
def test_the_size_of_the_page_and_the_place_on_it_do_not_matter(
    tmp_path, expected, scale
):
    large = stroke().repeat(scale, axis=0).repeat(scale, axis=1)
    seen = read(tmp_path, np.pad(large, ((0, 90), (70, 0)), constant_values=255))
    # One grey level: the means are of other numbers of pixels.
    assert np.abs(seen.astype(int) - expected).max() <= 1


def other_kinds():
    grey = Image.fromarray(stroke())
    ink = 255 - stroke()
    clear = Image.merge("LA", (Image.new("L", grey.size, 0), Image.fromarray(ink)))
    light = Image.merge("LA", (Image.new("L", grey.size, 255), Image.fromarray(ink)))
    red = np.stack([stroke() // 255 * 55 + 200, stroke(), stroke()], axis=-1)
    return {
        "light on dark": Image.fromarray(ink),
        "black and white": grey.convert("1"),
        "16 bits": Image.fromarray(stroke().astype(np.uint16) * 257),
        "faint, 16 bits": Image.fromarray(stroke().astype(np.uint16) * 40 + 9000),
        "palette": grey.convert("RGB").convert("P"),
        "black on clear": clear,
        "white on clear": light,
        "colour with alpha": grey.convert("RGBA"),
        "red": Image.fromarray(red),
        "a grey page": Image.fromarray(stroke() // 2 + 40),
    }


@pytest.mark.parametrize("kind", other_kinds())
def test_every_kind_of_image_shows_the_same_stroke(tmp_path, expected, kind):
    np.testing.assert_array_equal(read(tmp_path, other_kinds()[kind]), expected)


def test_a_photograph_is_turned_as_its_camera_says(tmp_path, expected):
    turned = Image.fromarray(stroke()).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    turned.save(tmp_path / "turned.png", exif=exif)
    seen = image_files.read(tmp_path / "turned.png", "mnist")
    np.testing.assert_array_equal(seen, expected)


def test_invert_is_believed_where_the_border_says_otherwise(tmp_path):
    # Ink reaches all round the border, so that auto takes the page for the ink.
    page = np.zeros((200, 200), np.uint8)
    page[80:120, 80:120] = 255
    auto, yes = (read(tmp_path, page, invert=how) for how in ("auto", "yes"))
    assert [auto[14, 14], yes[14, 14], yes[5, 14]] == [255, 0, 255]
    small = page[::8, ::8][:28, :28]
    small = np.pad(small, ((0, 28 - len(small)), (0, 28 - len(small))))
    yes = read(tmp_path, small, invert="yes")[..., 0]
    np.testing.assert_array_equal(yes, 255 - small)
    no = read(tmp_path, 255 - small, invert="no")[..., 0]
    np.testing.assert_array_equal(no, 255 - small)


@pytest.mark.parametrize("wide", [4, 20, 60, 140])
def test_of_a_digit_of_8_x_8_about_31_percent_are_ink(tmp_path, wide):
    page = stroke(tall=200, wide=wide)
    page[60 : 60 + wide, 40:180] = 0
    seen = read(tmp_path, page, "digits")[..., 0]
    assert set(np.unique(seen)) <= {round(255 * k / 16) for k in range(17)}
    assert abs(seen.mean() / 255 - 0.31) < 0.01
    assert seen[:, [0, 7]].mean() < 0.2 * 255 < seen[:, 2:6].mean()


def test_clothes_fill_their_images_in_one_direction(tmp_path):
    seen = read(tmp_path, stroke(tall=120, wide=60), "fashion-mnist")[..., 0]
    columns = np.flatnonzero(seen.max(axis=0))
    assert (seen.max(axis=1) == 255).all()
    assert (columns[0], columns[-1]) == (7, 20)


def test_upside_down_is_upside_down(tmp_path):
    page = stroke(tall=123, wide=40)
    page[181:183, 80:150] = 0
    one, other = (read(tmp_path, p, "fashion-mnist") for p in (page, page[::-1]))
    np.testing.assert_array_equal(one, other[::-1])
    assert (one != other).any()


def test_16_bits_are_taken_as_they_are_too(tmp_path):
    image = np.zeros((28, 28), np.uint16)
    image[5:20, 10:14] = 40_000
    seen = read(tmp_path, image)
    np.testing.assert_array_equal(seen[..., 0], np.rint(image / 257))


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("side", [28, 100])
def test_an_empty_page_is_refused(tmp_path, shade, side):
    with pytest.raises(ValueError, match=r"image\.png: expected a drawing"):
        read(tmp_path, np.full((side, side), shade, np.uint8))


def test_what_is_no_image_is_refused_by_name(tmp_path):
    (tmp_path / "text.png").write_text("text")
    whole = tmp_path / "torn.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    whole.write_bytes(whole.read_bytes()[:900])
    for name in ("text.png", "torn.png"):
        with pytest.raises(ValueError, match=f"{name}: expected an image"):
            image_files.read(tmp_path / name, "mnist")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        image_files.read(tmp_path / "nothing.png", "mnist")
    with pytest.raises(ValueError, match="it is a folder"):
        image_files.read(tmp_path, "mnist")


def test_rows_are_apart_by_commas_or_blanks(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("# a, b, c\n1,2, 3\n\n4 5\t6e0\n")
    expected = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    np.testing.assert_array_equal(row_files.read(path, 3), expected, strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2 3\n1 2\n", "line 2: expected 3 numbers a line.*, got 2"),
        (b"1 2 x\n", "line 1: expected 3 numbers.*'x'"),
        (b"# none\n", "there are none"),
        (b"\x89PNG\xff", "it is no text file"),
    ],
)
def test_what_is_no_row_of_numbers_is_refused(tmp_path, content, message):
    path = tmp_path / "rows.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        row_files.read(path, 3)


def test_a_missing_file_of_rows_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        row_files.read(tmp_path / "rows.txt", 3)
