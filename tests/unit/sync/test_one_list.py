"""What the service and the block for laptops have in common, though neither image holds the other's room."""

from __future__ import annotations

from entrypoint.laptops import command, syncthing
from entrypoint.sync import config, ignores


def test_a_laptop_leaves_out_what_the_server_does() -> None:
    assert [*command.IGNORED, command.GIT] == ignores.patterns(with_git=False)


def test_the_door_asks_by_the_key_that_syncthing_has() -> None:
    assert syncthing.API_KEY == config.API_KEY
