"""Dask's preload for workers: they listen to the cluster alone, and have no pages of their own."""


def dask_setup(worker):
    # `--no-dashboard` leaves the server of the pages listening (distributed 2026.8, worker.py, start_unsafe).
    worker.http_server.stop()
