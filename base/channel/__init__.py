"""Makes a conda channel out of PyPI's wheels and one CPython."""
