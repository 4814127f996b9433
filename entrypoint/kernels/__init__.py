"""What runs, under a Jupyter server of its own: kernels, terminals and language servers."""
