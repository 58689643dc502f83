"""``constraints/install.py``: what it passes on from pip to uv, and when it asks for torch's CPU channel."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("install", ROOT / "constraints" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pips_settings_are_read_and_the_environment_wins(install: ModuleType) -> None:
    listing = (
        ":env:.find-links='/wheels'\n"
        "global.cert='/ca.pem'\n"
        "global.find-links='/old'\n"
        "global.timeout='60'\n"
        "install.index-url='mirror://simple?a=b'\n"
    )
    assert install.pip_settings(listing) == {
        "find-links": "/wheels",
        "cert": "/ca.pem",
        "index-url": "mirror://simple?a=b",
    }
    assert install.pip_settings("") == {}


def test_what_pip_knows_reaches_uv_unless_uv_was_told_something_itself(install: ModuleType) -> None:
    settings = {"find-links": "/a\n/b", "cert": "/ca.pem"}
    assert install.uv_environment({"HOME": "/h"}, settings) == {
        "HOME": "/h",
        "UV_HTTP_TIMEOUT": "600",
        "UV_FIND_LINKS": "/a,/b",
        "SSL_CERT_FILE": "/ca.pem",
    }
    own = install.uv_environment({"UV_FIND_LINKS": "/mine", "UV_HTTP_TIMEOUT": "5"}, settings)
    assert own["UV_FIND_LINKS"] == "/mine"
    assert own["UV_HTTP_TIMEOUT"] == "5"


def test_a_local_wheel_of_torch_counts_only_for_its_python(install: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (tmp_path / "torchdata-0.11-cp312-none-any.whl").touch()
    for folder in (f"/nowhere,{tmp_path}", f"file://{tmp_path}"):
        assert install.has_local_torch({"UV_FIND_LINKS": folder}, (3, 11))
        assert not install.has_local_torch({"UV_FIND_LINKS": folder}, (3, 12))
    assert not install.has_local_torch({}, (3, 11))


def test_a_step_that_fails_ends_in_one_sentence_that_names_it(install: ModuleType) -> None:
    with pytest.raises(install.SetupError, match=r"this step failed .*: false"):
        install.run(["false"], {})
