"""So many of so many, with a Wilson interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959964  # of a 95% interval


@dataclass(frozen=True)
class Share:
    """So many of so many. Of nothing, the share is nothing: it has no value."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval. It takes the cases for independent, which pairs of one task are not."""
        if not self.of:
            return 0.0, 1.0
        share, denominator = self.hits / self.of, 1 + Z**2 / self.of
        centre = (share + Z**2 / (2 * self.of)) / denominator
        reach = Z * math.sqrt(share * (1 - share) / self.of + Z**2 / (4 * self.of**2)) / denominator
        return max(0.0, centre - reach), min(1.0, centre + reach)

    def __add__(self, other: Share) -> Share:
        return Share(self.hits + other.hits, self.of + other.of)

    def __str__(self) -> str:
        """`95.0% (19/20)`; a dash where there was nothing to count."""
        return f"{self.value:.1%} ({self.hits}/{self.of})" if self.value is not None else "-"
