"""The certificate: the exact answer, enclosed by ball arithmetic on a tape of its own."""

from .enclosure import Certificate, UncertifiableError, certify

__all__ = ["Certificate", "UncertifiableError", "certify"]
