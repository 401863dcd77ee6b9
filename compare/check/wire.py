"""What goes between the command and the process of a checked function: plain values and arrays, as bytes.

Nothing is unpickled: whatever the other side sends, no code of it runs here.

Example:
    >>> import numpy as np
    >>> unpacked(packed({"loss": 0.5}, [np.arange(2)]))
    ({'loss': 0.5}, [array([0, 1])])
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LENGTH_BYTES = 8  # before every message, the number of its bytes


def packed(header: Mapping[str, Any], arrays: Sequence[np.ndarray] = ()) -> bytes:
    """A message.

    Args:
        header: plain values.
        arrays: of any dtype but objects.

    Returns:
        Its bytes.
    """
    content = io.BytesIO()
    named: dict[str, Any] = {f"array{number}": array for number, array in enumerate(arrays)}
    np.savez(content, allow_pickle=False, header=np.array(json.dumps(header)), **named)
    return content.getvalue()


def unpacked(message: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The header and the arrays of a message.

    Args:
        message: what `packed` made.

    Returns:
        Both.

    Raises:
        ValueError: it is no such message.
    """
    try:
        with np.load(io.BytesIO(message), allow_pickle=False) as archive:
            header = json.loads(str(archive["header"]))
            arrays = [archive[f"array{number}"] for number in range(len(archive.files) - 1)]
    except Exception as error:  # whatever zip, JSON and NumPy make of other bytes
        raise ValueError("no message") from error
    if not isinstance(header, dict):
        raise ValueError("no message")
    return header, arrays


def with_length(message: bytes) -> bytes:
    """A message as it is sent.

    Example:
        >>> len(with_length(b"ab"))
        10
    """
    return len(message).to_bytes(LENGTH_BYTES, "big") + message


def without_length(received: bytes | bytearray) -> bytes | None:
    """The first message of what was received so far; None as long as that is not the whole of it.

    Example:
        >>> without_length(with_length(b"ab")[:-1]), without_length(with_length(b"ab"))
        (None, b'ab')
    """
    end = LENGTH_BYTES + int.from_bytes(received[:LENGTH_BYTES], "big")
    return bytes(received[LENGTH_BYTES:end]) if len(received) >= max(end, LENGTH_BYTES) else None
