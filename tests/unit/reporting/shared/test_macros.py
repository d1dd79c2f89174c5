from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from mobileyolo.reporting.comparison.page import render
from mobileyolo.reporting.comparison.pictures import HeldOutImages
from mobileyolo.reporting.shared.languages import ENGLISH
from tests.synthetic_comparison import make_inputs


def test_the_letters_on_a_picture_have_the_colours_of_their_errors(tmp_path: Path) -> None:
    inputs = make_inputs(tmp_path)
    for name in inputs.results["baseline"][0].statistics.images["image"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    page = render(inputs, HeldOutImages(inputs).gallery(), ENGLISH)
    styles = set(re.findall('<text class="(.+?)" x=', page))
    assert styles
    assert styles <= set(re.findall(r"\.([\w-]+) { --key: ", page))
