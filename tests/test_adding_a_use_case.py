"""docs/adding-a-use-case.md says what the code of `tests.parcels` does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from flows.command import read
from tests.parcels.models.config import ParcelConfig

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "adding-a-use-case.md").read_text()


def test_every_piece_of_code_on_the_page_stands_in_the_file_that_it_names() -> None:
    pieces = re.findall(r"<!-- (\S+) -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(pieces) == PAGE.count("```python") >= 8
    for file, code in pieces:
        assert code in (ROOT / file).read_text(), f"{file} has this no more:\n{code}"


def test_the_settings_on_the_page_are_understood(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "parcels.yaml"
    file.write_text(text)
    _, settings = read(["--settings", str(file)])
    assert (settings.name, settings.use_case) == ("parcels", yaml.safe_load(text)["use_case"])
    assert isinstance(settings.model, ParcelConfig)


def test_modules_lie_where_the_page_says() -> None:
    for row in re.findall(r"`acme/churn/(\S+)`", PAGE):
        assert (ROOT / "tests" / "parcels" / row).is_file()
