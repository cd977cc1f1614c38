"""Figures S2 and S3: descriptors in two dimensions."""

import numpy as np
from numpy.typing import NDArray

from hodor.errors import DataError
from hodor.extras import needed

PERPLEXITY = 30.0  # of t-SNE, as is usual; less where there are few descriptors
SEED = 0


def tsne(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """t-SNE of descriptors (N, C): (N, 2). The same input gives the same output."""
    _check(vectors)
    manifold = needed("sklearn.manifold", "analysis")
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    made = manifold.TSNE(perplexity=perplexity, init="pca", random_state=SEED)
    return np.asarray(made.fit_transform(vectors), np.float32)


def pca(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """The two main components of descriptors (N, C), (N, 2), and each one's share of variance."""
    _check(vectors)
    decomposition = needed("sklearn.decomposition", "analysis")
    made = decomposition.PCA(2, random_state=SEED)
    points = made.fit_transform(vectors)
    first, second = (float(share) for share in made.explained_variance_ratio_)
    return np.asarray(points, np.float32), (first, second)


def _check(vectors: NDArray[np.float32]) -> None:
    if len(vectors) < 4:
        raise DataError(f"{len(vectors)} descriptors are too few to be laid out; give at least 4")
