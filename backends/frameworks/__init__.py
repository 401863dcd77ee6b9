"""Frameworks: whether they are there, and how their state and the host's are kept apart."""

from .loading import require, require_installed
from .transforms import require_no_transform

__all__ = ["require", "require_installed", "require_no_transform"]
