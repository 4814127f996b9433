"""A wheel as a conda package, laid out as conda-forge lays it out."""

from __future__ import annotations

import configparser
import email
import platform
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from channel.package import PLACEHOLDER, File, Package
from channel.python_tree import MINOR, TAG, VERSION

# Where conda-forge's name is not PyPI's. matplotlib-base is matplotlib without a desktop's toolkit.
CONDA_NAMES = {
    "et-xmlfile": "et_xmlfile",
    "interface-meta": "interface_meta",
    "ipython-pygments-lexers": "ipython_pygments_lexers",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "jupyterlab-widgets": "jupyterlab_widgets",
    "matplotlib": "matplotlib-base",
    "pure-eval": "pure_eval",
    "stack-data": "stack_data",
    "typing-extensions": "typing_extensions",
    "tzdata": "python-tzdata",
}
MARKERS = {
    "python_version": MINOR,
    "python_full_version": VERSION,
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_machine": platform.machine(),
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}
SCRIPT = "#!{prefix}/bin/python\nimport sys\nfrom {module} import {first}\nsys.exit({function}())\n"


def conda_name(name: str) -> str:
    canonical = canonicalize_name(name)
    return CONDA_NAMES.get(canonical, canonical)


@dataclass(frozen=True)
class Wheel:
    """An opened wheel."""

    archive: zipfile.ZipFile
    info: str
    is_pure: bool

    @property
    def site_packages(self) -> str:
        """A pure package is told its folder at installation, by the Python that is there."""
        return "site-packages" if self.is_pure else f"lib/python{MINOR}/site-packages"

    def metadata(self) -> Message:
        return email.message_from_bytes(self.archive.read(f"{self.info}/METADATA"))

    def depends(self) -> Iterator[str]:
        metadata = self.metadata()
        if self.is_pure:
            yield f"python {metadata['Requires-Python'] or ''}".strip()
        else:
            yield from (f"python {MINOR}.*", f"python_abi {MINOR}.* *_{TAG}")
        for requirement in map(Requirement, metadata.get_all("Requires-Dist") or []):
            if not requirement.marker or requirement.marker.evaluate(MARKERS):
                yield f"{conda_name(requirement.name)} {requirement.specifier}".strip()

    def scripts(self) -> dict[str, str]:
        """Console scripts: the name of each and its `module:function`."""
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        if f"{self.info}/entry_points.txt" in self.archive.namelist():
            parser.read_string(self.archive.read(f"{self.info}/entry_points.txt").decode())
        section = parser["console_scripts"] if parser.has_section("console_scripts") else {}
        return {name: target.split("[")[0].strip() for name, target in section.items()}

    def files(self) -> Iterator[tuple[str, File]]:
        for entry in self.archive.infolist():
            if not entry.is_dir():
                mode = (entry.external_attr >> 16) & 0o777 or 0o644
                yield self._place(entry.filename), self._file(entry.filename, self.archive.read(entry), mode)
        yield f"{self.site_packages}/{self.info}/INSTALLER", File(b"conda\n")
        if not self.is_pure:
            for name, target in self.scripts().items():
                yield f"bin/{name}", _script(target)

    def _place(self, name: str) -> str:
        """Where a file belongs (binary distribution format, PyPA: the .data folder)."""
        if ".data/" not in f"{name.split('/')[0]}/":
            return f"{self.site_packages}/{name}"
        kind, rest = name.split("/", 2)[1:]
        return {
            "purelib": f"{self.site_packages}/{rest}",
            "platlib": f"{self.site_packages}/{rest}",
            "data": rest,
            "headers": f"include/{rest}",
            "scripts": f"{'python-scripts' if self.is_pure else 'bin'}/{rest}",
        }[kind]

    def _file(self, name: str, content: bytes, mode: int) -> File:
        if name == f"{self.info}/RECORD":
            return File(b"", mode)
        if name.endswith("/kernel.json"):  # as conda-forge ships it: with the interpreter's full path
            absolute = content.replace(b'"python"', f'"{PLACEHOLDER}/bin/python"'.encode(), 1)
            return File(absolute, mode, PLACEHOLDER)
        return File(content, mode)


def _script(target: str) -> File:
    module, function = target.split(":")
    text = SCRIPT.format(prefix=PLACEHOLDER, module=module, first=function.split(".")[0], function=function)
    return File(text.encode(), 0o755, PLACEHOLDER)


def wheel_package(path: Path) -> Package:
    name, version, _, tags = parse_wheel_filename(path.name)
    archive = zipfile.ZipFile(path)
    folders = {entry.split("/")[0] for entry in archive.namelist()}
    info = next(folder for folder in sorted(folders) if folder.endswith(".dist-info"))
    wheel = Wheel(archive, info, is_pure=all(tag.platform == "any" for tag in tags))
    return Package(
        conda_name(name),
        str(version),
        "py_0" if wheel.is_pure else f"{TAG}_0",
        list(wheel.depends()),
        dict(wheel.files()),
        noarch="python" if wheel.is_pure else None,
        entry_points=[f"{script} = {target}" for script, target in wheel.scripts().items()],
    )
