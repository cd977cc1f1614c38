"""What a reader leaves out is counted and said, never dropped without a word."""

from collections import Counter


class LeftOut:
    """Counts by kind; `tell` makes one warning of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, what: str, count: int = 1) -> None:
        """what: things of that kind, in the plural, such as "boxes without a mask"."""
        self._counts[what] += count

    def tell(self, file: str, warnings: list[str]) -> None:
        """Add a warning if something was left out."""
        kinds = [f"{what} were left out ({count})" for what, count in self._counts.items() if count]
        if kinds:
            warnings.append(f"{file}: {', '.join(kinds)}")
