"""Which files a source's pattern means: the one expansion for the spout and for ``check``."""

import glob


def matching(pattern: str) -> list[str]:
    """Return what a pattern matches, sorted.

    ``**`` means any folders, also linked ones. A name that begins with a dot is matched only by a pattern that has it.
    """
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob follows no links and takes hidden files)
