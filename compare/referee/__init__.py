"""The referee: asks every backend, judges the answers, keeps and explains what was found."""
