"""What the page's head names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from entrypoint.lab.preloading import EXTENSIONS_MAX, hints


def config(*loads: tuple[str, str], static: str = "/static/lab") -> dict[str, Any]:
    extensions = [{"name": name, "load": load} for name, load in loads]
    urls = {"fullStaticUrl": static, "fullLabextensionsUrl": "/lab/extensions"}
    urls |= {"fullSettingsUrl": "/lab/api/settings", "fullTranslationsApiUrl": "/lab/api/translations"}
    return {**urls, "federated_extensions": extensions}


def scripts(page_config: dict[str, Any], static: Path) -> str:
    return ", ".join(each for each in hints(page_config, static).split(", ") if each.endswith("as=script"))


@pytest.mark.parametrize("name", ["jlab_core", "notebook_core"])
def test_the_largest_part_and_each_extension_are_named_as_the_page_s_script_asks_for_them(
    tmp_path: Path, name: str
) -> None:
    for file in (f"{name}.0123abcd.js", f"{name}.0123abcd.js.br", "main.0123.js", "x_core.zz.js"):
        (tmp_path / file).touch()
    assert scripts(config(("@a/b", "static/remoteEntry.1f.js")), tmp_path) == (
        f"</static/lab/{name}.0123abcd.js?v=0123abcd>; rel=preload; as=script, "
        "</lab/extensions/@a/b/static/remoteEntry.1f.js>; rel=preload; as=script"
    )


def test_a_name_in_a_person_s_home_ends_no_header(tmp_path: Path) -> None:
    hint = scripts(config(("x>; rel=y, <z", "a\r\nSet-Cookie: b\u20ac")), tmp_path)
    assert hint == (
        "</lab/extensions/x%3E%3B%20rel=y%2C%20%3Cz/a%0D%0ASet-Cookie%3A%20b%E2%82%AC>; rel=preload; as=script"
    )


def test_of_many_extensions_some_are_named(tmp_path: Path) -> None:
    assert scripts(config(*[("x", "y")] * 1000), tmp_path).count("preload") == EXTENSIONS_MAX


def test_the_answers_that_a_page_begins_with_are_named_as_it_asks_for_them(tmp_path: Path) -> None:
    words = "</lab/api/translations/default>; rel=preload; as=fetch; crossorigin"
    assert hints(config(), tmp_path) == words
    (tmp_path / "jlab_core.0123abcd.js").touch()
    assert hints(config(), tmp_path).endswith(f", </lab/api/settings>; rel=preload; as=fetch; crossorigin, {words}")
