"""Dask's preload for the scheduler: its pages are the door's to show, by a socket that no notebook reaches, and who was
removed is let in no more."""

import json
import os
import ssl
import tempfile

from tornado.netutil import bind_unix_socket
from tornado.web import RequestHandler

SOCKET = "/run/dask/socket"
# As it was at the start.
REVOKED = "/run/workhorse/cluster/revoked.pem"


class RemoveHandler(RequestHandler):
    """Asked by the door alone, which lets through no POST."""

    def initialize(self, scheduler):
        self.scheduler = scheduler

    async def post(self):
        asked = json.loads(self.request.body)
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(asked["revoked"])
            file.flush()
            refuse(self.scheduler, file.name)
        if asked["workers"]:
            await self.scheduler.retire_workers(asked["workers"], close_workers=True)
        self.write({})


class IdentityHandler(RequestHandler):
    """What Dask's own page tells (http/scheduler/json.py, IdentityJSON), which fails while something is computed:
    workers then tell of their times by keys that are tuples, and JSON has none."""

    def initialize(self, scheduler):
        self.scheduler = scheduler

    def get(self):
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(self.scheduler.identity(), skipkeys=True))


def refuse(scheduler, revoked):
    """Takes notice of a list of revoked certificates (PEM) in the file named."""
    for context in contexts(scheduler):
        context.load_verify_locations(revoked)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def contexts(scheduler):
    return [listener.server_args["ssl_options"] for listener in scheduler.listeners]


def dask_setup(scheduler):
    for context in contexts(scheduler):
        # A session that is resumed shows no certificate.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    if os.path.exists(REVOKED):
        refuse(scheduler, REVOKED)
    own = (("identity", IdentityHandler), ("remove", RemoveHandler))
    handlers = [(f"/dask/workhorse/{name}", handler, {"scheduler": scheduler}) for name, handler in own]
    scheduler.http_application.add_handlers(".*", handlers)
    # No port: whatever runs in the containers' network would come by it past the login.
    scheduler.http_server.stop()
    # Whoever the door runs as; nobody sees the folder but door and lab.
    scheduler.http_server.add_socket(bind_unix_socket(SOCKET, mode=0o666))
