"""Syncthing's configuration, written whole at each start: nothing that it changes by itself outlives it."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from entrypoint.files.places import Places
from entrypoint.system.pairing import Pairing

PORT = 22000
# Of Syncthing 1.29's form; later ones read it, and bring it to theirs (docs.syncthing.net/users/config).
VERSION = "37"
# It opens nothing: whoever reaches the socket may ask, and that is the door. Syncthing wants one in each question.
API_KEY = "workhorse"
# Whoever the door runs as; nobody else sees the folder.
SOCKET_MODE = "0666"
# By Syncthing's default an edit waits for ten. Measured with 1: it is on the other side within a second.
WATCHER_DELAY_SECONDS = "1"
# After what couldn't be taken over, as from a laptop that has just gone; each further one is twice as long.
PAUSE_SECONDS = "10"
VERSIONS_KEPT_SECONDS = str(30 * 24 * 60 * 60)
# By Syncthing's default a hundredth of the disk, which is 200 GB of a large one.
FREE_MB = "200"
# What calls somebody: addresses that are announced and looked up, relays and the router asked for a way in.
DISCOVERY = ("globalAnnounceEnabled", "relaysEnabled")
NEVER = ("localAnnounceEnabled", "natEnabled", "crashReportingEnabled", "startBrowser")


def config_xml(pairing: Pairing, places: Places, discovery: bool) -> bytes:
    root = Element("configuration", version=VERSION)
    _add_folder(root, pairing, places)
    _add_device(root, pairing.device, "workhorse")
    for laptop in pairing.laptops:
        _add_device(root, laptop.id, laptop.name)
    gui = SubElement(root, "gui", enabled="true", tls="false")
    _add(gui, address=str(places.sync_socket), unixSocketPermissions=SOCKET_MODE, apikey=API_KEY)
    options = SubElement(root, "options")
    _add(
        options,
        listenAddress=f"tcp://:{PORT}",
        urAccepted="-1",
        autoUpgradeIntervalH="0",
        stunKeepaliveStartS="0",
        **dict.fromkeys(DISCOVERY, "true" if discovery else "false"),
        **dict.fromkeys(NEVER, "false"),
    )
    if discovery:
        _add(options, listenAddress="dynamic+https://relays.syncthing.net/endpoint")
    SubElement(options, "minHomeDiskFree", unit="MB").text = FREE_MB
    indent(root)
    return tostring(root)


def _add_folder(root: Element, pairing: Pairing, places: Places) -> None:
    folder = SubElement(
        root,
        "folder",
        id=pairing.folder,
        label="Workhorse",
        path=str(places.repositories),
        type="sendreceive",
        rescanIntervalS="3600",
        fsWatcherEnabled="true",
        fsWatcherDelayS=WATCHER_DELAY_SECONDS,
    )
    for device in (pairing.device, *(laptop.id for laptop in pairing.laptops)):
        SubElement(folder, "device", id=device)
    SubElement(folder, "minDiskFree", unit="MB").text = FREE_MB
    versioning = SubElement(folder, "versioning", type="staggered")
    SubElement(versioning, "param", key="maxAge", val=VERSIONS_KEPT_SECONDS)
    # Of a conflict both are kept, however often there is one.
    _add(folder, maxConflicts="-1", pullerPauseS=PAUSE_SECONDS)


def _add_device(root: Element, device: str, name: str) -> None:
    # It calls nobody: a laptop comes by itself, and is looked for only with discovery.
    _add(SubElement(root, "device", id=device, name=name, introducer="false"), address="dynamic")


def _add(parent: Element, **texts: str) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = text
