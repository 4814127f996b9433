"""The rooms of entrypoint/: which package stands on which, and which image holds which.

What is read first is understood without the rest: a room knows only those below it. And what an image doesn't hold, no
hole in it can reach: the others' hold nothing of the door, nor the door's of them.
"""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ENTRYPOINT = REPOSITORY / "entrypoint"

# What all images hold.
SHARED = ("files", "settings", "system", "backup")
KERNELS = ("home", "jupyter", "recorder", "kernels")
LAB = ("lab",)
SYNC = ("sync",)
DOOR = ("certificates", "renewal", "strangers", "proxy", "login", "laptops", "door", "report", "commands")
# Lowest first: what knows of no side; what runs, and the lab upon it; what syncs; the door, from what it keeps
# (certificates, renewal) by whom it meets and where it sends them (strangers, proxy, login) and whom it syncs with
# (laptops) to its server, what is told of that, and what asks for it. Above all rooms stand the starts.
ROOMS = (*SHARED, *KERNELS, *LAB, *SYNC, *DOOR)
STARTS = tuple(f"entrypoint.{each}.__main__" for each in ("door", "kernels", "lab", "sync"))
IMAGES = {
    "kernels": (*SHARED, *KERNELS),
    "lab": (*SHARED, *KERNELS, *LAB),
    "sync": (*SHARED, *SYNC),
    "door": (*SHARED, *DOOR),
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


MODULES = {name_of(path): path for path in sorted(ENTRYPOINT.rglob("*.py")) if path.name != "__init__.py"}


def room(module: str) -> str:
    return module.split(".")[1]


def named(module: str) -> set[str]:
    """What one names: in imports anywhere in it, or in a text, as commands and Jupyter's classes are."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            names |= {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{module} imports by a relative name, which this test can't follow")
        elif isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= set(re.findall(r"entrypoint(?:\.\w+)+", node.value))
    return {each for each in names if each.startswith("entrypoint.")}


def module_of(name: str) -> str | None:
    """The module that a name is, or is in."""
    return next((each for each in MODULES if f"{name}.".startswith(f"{each}.")), None)


def imports(module: str) -> set[str]:
    return {each for each in map(module_of, named(module)) if each and each != module}


IMPORTS = {module: imports(module) for module in MODULES}


def test_every_package_is_a_room_and_every_module_stands_in_one() -> None:
    assert sorted(ROOMS) == sorted(
        path.name for path in ENTRYPOINT.iterdir() if path.is_dir() and list(path.glob("*.py"))
    )
    assert {room(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("package", ROOMS)
def test_a_room_says_in_one_sentence_what_it_is_for_and_holds_nothing_else(package: str) -> None:
    assert re.fullmatch(r"[A-Z][^.\n]*([.]\w[^.\n]*)*[.]", role(package))
    assert len(ast.parse((ENTRYPOINT / package / "__init__.py").read_text()).body) == 1


def test_the_page_on_the_architecture_shows_the_rooms_as_they_are() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    images = {package: [image for image in IMAGES if package in IMAGES[image]] for package in ROOMS}
    assert re.findall(r"(?m)^\| `(\w+)` \| (all|door|kernels, lab|lab|sync) \| (.*) \|$", page) == [
        (package, "all" if len(images[package]) == len(IMAGES) else ", ".join(images[package]), role(package))
        for package in ROOMS
    ]


def role(package: str) -> str:
    return ast.get_docstring(ast.parse((ENTRYPOINT / package / "__init__.py").read_text())) or ""


@pytest.mark.parametrize("package", ROOMS)
def test_a_room_stands_only_on_lower_ones(package: str) -> None:
    allowed = ROOMS[: ROOMS.index(package) + 1]
    upwards = [
        f"{module} imports {each}"
        for module, imported in IMPORTS.items()
        for each in sorted(imported)
        if room(module) == package and module not in STARTS and room(each) not in allowed
    ]
    assert upwards == []


def test_whatever_a_module_names_is_there() -> None:
    assert [(module, name) for module in MODULES for name in named(module) if not module_of(name)] == []


def test_nothing_stands_on_a_start() -> None:
    assert [module for module, imported in IMPORTS.items() if imported & set(STARTS)] == []


def test_no_modules_stand_on_each_other_in_a_circle() -> None:
    TopologicalSorter(IMPORTS).prepare()


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_its_own_rooms_and_no_other_s(image: str) -> None:
    assert sorted(copied_rooms(image)) == sorted(IMAGES[image])


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_holds_whatever_its_rooms_import(image: str) -> None:
    held = copied_rooms(image)
    missing = [
        f"{module} imports {each}"
        for module, imported in IMPORTS.items()
        for each in sorted(imported)
        if room(module) in held and room(each) not in held
    ]
    assert missing == []


def copied_rooms(target: str) -> list[str]:
    """What the Dockerfile copies of entrypoint/ into an image, as far as it is rooms; anything wider fails."""
    copied = re.findall(r"(?m)^COPY (?:--\S+ )*(entrypoint\S*) ", "\n".join(stages(target)))
    assert "entrypoint/__init__.py" in copied
    return [each.removeprefix("entrypoint/") for each in copied if each != "entrypoint/__init__.py"]


def stages(target: str) -> list[str]:
    """The stage of a target, those that it is made from, and those whose code it copies."""
    found = re.split(r"(?m)^FROM ", (REPOSITORY / "Dockerfile").read_text())[1:]
    by_name = {stage.split(maxsplit=3)[2]: stage for stage in found}
    names = [target]
    for name in names:
        below = re.findall(r"(?m)^COPY --from=(\S+) /opt/workhorse/entrypoint ", by_name[name])
        names += [each for each in (by_name[name].split(maxsplit=1)[0], *below) if each in by_name]
    return [by_name[name] for name in names]
