"""Sums that merge: moments, cross moments and a uniform sample of rows, in memory that does not grow with the data."""

import numpy as np

SAMPLE_ROWS = 100_000


class CrossMoments:
    """Means, sums of squares and of products of x (n, D) beside y (n, S), merged as Chan, Golub & LeVeque (1983)."""

    def __init__(self, x_dims: int, y_dims: int) -> None:
        self.count = 0
        self.x_mean, self.y_mean = np.zeros(x_dims), np.zeros(y_dims)
        self.x_square, self.y_square = np.zeros(x_dims), np.zeros(y_dims)
        self.product = np.zeros((x_dims, y_dims))

    def update(self, x: np.ndarray, y: np.ndarray) -> None:
        """Add n rows of each."""
        if len(x) == 0:
            return
        x_mean, y_mean = x.mean(0), y.mean(0)
        dx, dy = x - x_mean, y - y_mean
        total = self.count + len(x)
        weight = self.count * len(x) / total
        x_gap, y_gap = x_mean - self.x_mean, y_mean - self.y_mean
        self.x_square += np.einsum("nd,nd->d", dx, dx) + weight * x_gap**2
        self.y_square += np.einsum("nd,nd->d", dy, dy) + weight * y_gap**2
        self.product += dx.T @ dy + weight * np.outer(x_gap, y_gap)
        self.x_mean += x_gap * len(x) / total
        self.y_mean += y_gap * len(x) / total
        self.count = total

    @property
    def x_std(self) -> np.ndarray:
        """Standard deviation of x (D,), divisor n."""
        return np.sqrt(self.x_square / max(self.count, 1))

    @property
    def y_std(self) -> np.ndarray:
        """Standard deviation of y (S,), divisor n."""
        return np.sqrt(self.y_square / max(self.count, 1))

    @property
    def correlation(self) -> np.ndarray:
        """Pearson correlation (D, S); 0 where a side does not vary."""
        scale = np.sqrt(np.outer(self.x_square, self.y_square))
        return np.divide(self.product, scale, out=np.zeros_like(scale), where=scale > 0)

    @property
    def square_gap(self) -> np.ndarray:
        """Mean of (x_i − y_j)² for every pair of columns (D, S)."""
        spread = self.x_square[:, None] + self.y_square[None] - 2 * self.product
        gap: np.ndarray = spread / max(self.count, 1) + (self.x_mean[:, None] - self.y_mean[None]) ** 2
        return gap


class RowSample:
    """A uniform sample of at most `capacity` rows with a label each; exact (all rows) while they fit.

    Every row gets a random key and the smallest keys stay (reservoir by random sort; Vitter 1985 for the problem).
    """

    def __init__(self, dims: int, rng: np.random.Generator, capacity: int = SAMPLE_ROWS) -> None:
        self.rng, self.capacity, self.seen = rng, capacity, 0
        self._rows: list[np.ndarray] = [np.empty((0, dims))]
        self._labels: list[np.ndarray] = [np.empty(0, np.int64)]
        self._keys: list[np.ndarray] = [np.empty(0)]
        self._held, self._bar = 0, 1.0

    def update(self, rows: np.ndarray, labels: np.ndarray) -> None:
        """Offer rows (n, D) with labels (n,)."""
        keys = self.rng.random(len(rows))
        keep = keys < self._bar
        self.seen += len(rows)
        self._rows.append(rows[keep])
        self._labels.append(labels[keep])
        self._keys.append(keys[keep])
        self._held += int(keep.sum())
        if self._held > 2 * self.capacity:
            self._shrink()

    def _shrink(self) -> None:
        keys = np.concatenate(self._keys)
        rows, labels = np.concatenate(self._rows), np.concatenate(self._labels)
        if len(keys) > self.capacity:
            chosen = np.sort(np.argpartition(keys, self.capacity - 1)[: self.capacity])
            keys, rows, labels = keys[chosen], rows[chosen], labels[chosen]
            self._bar = float(keys.max())
        self._keys, self._rows, self._labels, self._held = [keys], [rows], [labels], len(keys)

    @property
    def exact(self) -> bool:
        """Whether every row offered is still held."""
        return self.seen <= self.capacity

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows (R, D), labels (R,))."""
        self._shrink()
        return self._rows[0], self._labels[0]
