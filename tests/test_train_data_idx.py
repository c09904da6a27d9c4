import gzip
import hashlib
import struct

import numpy as np
import pytest

from rmsprop_jax.train.data.idx import digest, header, read_idx, shape_of

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
FILE = bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 3, 4) + bytes(range(24))


@pytest.fixture
def written(tmp_path):
    def write(data):
        path = tmp_path / "some-idx"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_an_idx_file_is_read_as_its_array(written, pack):
    array = read_idx(written(pack(FILE)), (2, 3, 4))
    np.testing.assert_array_equal(array, ARRAY, strict=True)
    assert not array.flags.writeable


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_shape_is_read_from_the_header_alone(written, pack):
    assert shape_of(written(pack(FILE[:16]))) == (2, 3, 4)


def test_a_gzip_file_of_several_members_is_one_file(written):
    path = written(gzip.compress(FILE[:10], mtime=0) + gzip.compress(FILE[10:]))
    np.testing.assert_array_equal(read_idx(path), ARRAY)


def test_the_digest_of_an_array_is_that_of_its_decompressed_file():
    assert header(ARRAY.shape) == FILE[:16]
    assert digest(ARRAY, "sha256") == hashlib.sha256(FILE).hexdigest()
    turned = np.asfortranarray(ARRAY)
    assert digest(turned, "md5") == hashlib.md5(FILE).hexdigest()


@pytest.mark.parametrize(
    ("data", "expected", "found"),
    [
        (b"", "begins with 00 00 08", "an empty file"),
        (b"<!DOCTYPE html>", "begins with 00 00 08", "3c 21 44 4f, a page of HTML"),
        (b"\0\0\x0d" + FILE[3:], "unsigned bytes", "00 00 0d 03"),
        (b"\0\0\x08\0", "begins with 00 00 08", "00 00 08 00"),
        (FILE[:10], "3 sizes of 4 bytes", "6 bytes"),
        (FILE[:-1], "24 bytes after the header", "only 23"),
        (FILE + b"\0", "24 bytes after the header", "more"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "at most 2147483648 bytes", "4294967295 x"),
        (gzip.compress(FILE, mtime=0)[:-9], "a whole gzip file", "end-of-stream"),
        (
            gzip.compress(FILE, mtime=0)[:-8] + bytes(8),
            "a whole gzip file",
            "CRC check failed",
        ),
    ],
)
def test_a_damaged_file_is_refused_by_name_expected_and_found(
    written, data, expected, found
):
    path = written(data)
    with pytest.raises(ValueError, match="expected") as caught:
        read_idx(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    before, _, after = message.partition("found")
    assert expected in before
    assert found in after


def test_another_shape_is_refused_before_the_rest_is_read(written):
    with pytest.raises(ValueError, match=r"array of 2 x 3 x 5, found one of 2 x 3 x 4"):
        read_idx(written(FILE[:16]), (2, 3, 5))
