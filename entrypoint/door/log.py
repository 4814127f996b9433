"""The door's log: what a person should know, and next to nothing that strangers bring about."""

from __future__ import annotations

import logging

from entrypoint.strangers.bounds import leave_strangers_out_of_the_log

NAME = "Workhorse"
# As Jupyter's own lines, which the lab's log has.
FORMAT = "[%(levelname)1.1s %(asctime)s.%(msecs)03d %(name)s] %(message)s"
TIME = "%Y-%m-%d %H:%M:%S"


def open_log() -> logging.Logger:
    """To be called once stderr is what it shall be; libraries' warnings come by it too."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT, TIME))
    leave_strangers_out_of_the_log(handler)
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    return logging.getLogger(NAME)
