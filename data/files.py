"""Files of the state directory that are written as a whole: whoever reads one finds the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_private"]


def replace_private(file: Path, data: bytes, *, durable: bool = True) -> None:
    """Takes the place of a file, as a whole, for its owner alone to read; by way of a file of the same name that ends
    in .new, so one writer at a time. With `durable` the data is on disk when it returns. Raises OSError.
    """
    new = file.with_suffix(".new")
    with open(new, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        out.write(data)
        if durable:
            out.flush()
            os.fsync(out.fileno())
    new.replace(file)
