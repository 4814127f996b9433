"""Runs the notebook server, as the process that the start becomes."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterlab.labapp import LabApp
from traitlets.config import Config

from entrypoint.names import LOCAL_NAMES, ServerName, reason_against

UNKNOWN_NAMES_MAX = 8


def main(config_file: Path) -> None:
    config = json.loads(config_file.read_text())
    app = LabApp.initialize_server(argv=[], config=Config(with_quiet_start(config)))
    app.log.addFilter(is_worth_a_line)
    tell_unknown_names(app, tuple(config["Workhorse"]["names"]))
    app.io_loop.add_callback(app.set_trait, "log_level", config["ServerApp"].get("log_level", logging.INFO))
    app.start()


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leaves out what Jupyter says about itself as installed elsewhere, and as built by hand."""
    return not any(part in record.getMessage() for part in ("non-installed server", "without nodejs"))


def with_quiet_start(config: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without Jupyter's own lines about its start, which name addresses that nobody outside the container can open."""
    quiet = {"log_level": logging.WARNING}
    return {**config, "Application": quiet, "ServerApp": {**config["ServerApp"], **quiet}}


def tell_unknown_names(app: Any, names: tuple[str, ...]) -> None:
    """Says once, when a logged-in person comes by a name that the certificate lacks, which line to add."""
    web_app = app.web_app
    known = {*names, *(name.text for name in LOCAL_NAMES)}
    log_request: Callable[[Any], None] = web_app.settings["log_function"]

    def log_request_and_name(handler: Any) -> None:
        log_request(handler)
        if len(known) < len(names) + len(LOCAL_NAMES) + UNKNOWN_NAMES_MAX and getattr(handler, "current_user", None):
            _tell_once(handler.request.host_name, names, known, app.log)

    web_app.settings["log_function"] = log_request_and_name


def _tell_once(host: str, names: tuple[str, ...], known: set[str], log: logging.Logger) -> None:
    if reason_against(host) or (name := ServerName.parse(host).text) in known:
        return
    known.add(name)
    log.warning(
        "You came by the name %s, which the certificate doesn't hold, so browsers warn. Put this line into .env, "
        "then run docker compose up -d: SERVER_NAMES=%s",
        name,
        ",".join((*names, name)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
