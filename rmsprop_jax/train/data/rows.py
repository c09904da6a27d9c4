"""MNIST and the sets in its format: files, shapes, hashes and mirrors. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IdxFile:
    """One file, and by what it is known: any one of the hashes is enough."""

    name: str  # as it lies decompressed; with .gz at the mirrors
    shape: tuple[int, ...]
    sha256: str | None = None  # of the decompressed file
    md5: str | None = None  # likewise
    gz_sha256: str | None = None  # of the compressed file that the mirrors have


@dataclass(frozen=True)
class ImageSet:
    """Images and labels in four IDX files."""

    name: str
    train_images: IdxFile
    train_labels: IdxFile
    test_images: IdxFile
    test_labels: IdxFile
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]  # below a data folder, beside the folder itself

    @property
    def files(self) -> tuple[IdxFile, ...]:
        """The four."""
        return (
            self.train_images,
            self.train_labels,
            self.test_images,
            self.test_labels,
        )


# sha256 of the decompressed originals; the mirrors' containers differ, the contents
# do not. ossci-datasets is torchvision's mirror, cvdf-datasets that of
# tensorflow-datasets.
_MNIST = ImageSet(
    name="mnist",
    train_images=IdxFile(
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    train_labels=IdxFile(
        "train-labels-idx1-ubyte",
        (60000,),
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    test_images=IdxFile(
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    test_labels=IdxFile(
        "t10k-labels-idx1-ubyte",
        (10000,),
        sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    folders=("mnist", "MNIST/raw"),
)

# gz_sha256 as in keras/src/datasets/fashion_mnist.py (75565fb8) and in
# tensorflow_datasets/url_checksums/fashion_mnist.txt (333639b3); md5 of the contents
# as git-annex recorded it in datasets-mila/datasets--fashionmnist (1725c394), for
# copies that were decompressed or compressed again. The first mirror is Keras', the
# second Zalando's own repository; its bucket at Amazon has no https.
_FASHION_MNIST = ImageSet(
    name="fashion-mnist",
    train_images=IdxFile(
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        md5="f4a8712d7a061bf5bd6d2ca38dc4d50a",
        gz_sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    train_labels=IdxFile(
        "train-labels-idx1-ubyte",
        (60000,),
        md5="9018921c3c673c538a1fc5bad174d6f9",
        gz_sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    test_images=IdxFile(
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        md5="8181f5470baa50b63fa0f6fddb340f0a",
        gz_sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    test_labels=IdxFile(
        "t10k-labels-idx1-ubyte",
        (10000,),
        md5="15d484375f8d13e6eb1aabb0c3f46965",
        gz_sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    folders=("fashion-mnist", "FashionMNIST/raw"),
)

ROWS = {row.name: row for row in (_MNIST, _FASHION_MNIST)}
