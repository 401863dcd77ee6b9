"""Shards: the parts of a run that are carried out apart, each with a log of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...backends import RequestError


@dataclass(frozen=True)
class Shard:
    """Every n-th group of jobs.

    Attributes:
        number: which part, from 1.
        count: how many parts there are.

    Example:
        >>> [group for group in range(10) if Shard(2, 4).has(group)]
        [1, 5, 9]
        >>> str(Shard(2, 4))
        '2/4'
    """

    number: int = 1
    count: int = 1

    def has(self, group: int) -> bool:
        """Whether a group of jobs, from 0, is in this part: the same whatever the number of groups."""
        return group % self.count == self.number - 1

    def size(self, jobs: int, *, in_group: int = 1) -> int:
        """How many of so many jobs are in this part.

        Args:
            jobs: of the whole.
            in_group: how many successive jobs are one group.
        """
        whole_groups, rest = divmod(jobs, in_group)
        groups = len(range(self.number - 1, whole_groups, self.count))
        return groups * in_group + (rest if self.has(whole_groups) else 0)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


WHOLE = Shard()


def parse_shard(text: str | None) -> Shard:
    """The part that `--shard` names.

    Args:
        text: such as `2/8`; None is the whole.

    Returns:
        The shard.

    Raises:
        RequestError: it is no number of a part and their count.

    Example:
        >>> parse_shard("2/8")
        Shard(number=2, count=8)
    """
    if text is None:
        return WHOLE
    found = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text.strip())
    if not found or int(found[1]) > int(found[2]):
        raise RequestError(f"--shard {text}: expected k/n with k from 1 to n, as 2/8 for the second of eight parts")
    return Shard(int(found[1]), int(found[2]))
