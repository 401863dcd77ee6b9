"""The certificate: the exact answer, enclosed by ball arithmetic on a tape of its own."""
