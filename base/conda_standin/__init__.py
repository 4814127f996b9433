"""A small `conda` for machines without a registry: the commands of daily use, solved and installed by rattler."""
