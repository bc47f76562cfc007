"""The page and the client call what was found alike, and put it in the same place."""

from typing import Any

import pytest
from playwright.sync_api import Page

from forgesyte_client.findings import corners, labelled

pytestmark = pytest.mark.needs("browser")

BOX = {"bbox": {"x": 1, "y": 2, "width": 30, "height": 4}}
RESULTS: list[dict[str, Any]] = [
    {"text": "one\ntwo", "blocks": [{"text": "one", **BOX}, {"text": "two", "confidence": 0.5}]},
    {"barcodes": [{"text": "5", "points": [{"x": 1, "y": 2}, {"x": 3, "y": 2}, {"x": 3, "y": 9}]}]},
    {"objects": [{"label": "bicycle", **BOX}], "more": [{"name": "a", "xyxy": [1, 2, 3, 4]}]},
    {"players": [{"class_name": "goalkeeper", "xyxy": [1.5, 2, 3, 4]}, 7, None, "text", [1]]},
    {"players": [{"class": "ball", **BOX}, {"class": 3, **BOX}, {"class_id": 7, **BOX}, BOX]},
    {"signs": [{"points": [[1, 2], [3, 4], [1, 5]]}]},
    {"odd": [{"id": 7, "text": 5}, {"bbox": [1, 2, 3, 4]}], "other": {"bbox": 1}, "none": []},
]
READ = """
async (result) => {
  const { cornersOf, detections, labelOf } = await import("./page/findings.js");
  return detections(result).map((one) => [labelOf(one), cornersOf(one.found)]);
}
"""
CURVES = """
async (results) => {
  const { ResultsIndex } = await import("./page/results_index.js");
  const index = new ResultsIndex();
  for (const result of results) index.add(result);
  return index
    .timeline(results.length)
    .curves.map(({ name, low, lowest, highest }) => [
      name,
      [...low].map((value) => (Number.isNaN(value) ? null : value)),
      lowest,
      highest,
    ]);
}
"""


@pytest.mark.parametrize("result", RESULTS)
def test_page_and_client_agree(page: Page, result: dict[str, Any]) -> None:
    told = [
        [name.replace(" ", ""), [value for point in corners(one) for value in point]]
        for name, one in labelled(result)
    ]
    shown = page.evaluate(READ, result)
    assert [[name.replace(" ", ""), outline] for name, outline in shown] == told


def test_curves_of_what_is_below_zero_too(page: Page) -> None:
    curves = page.evaluate(CURVES, [{"level": -5}, {"shot": 0}, {"level": 1e300}, {"level": 2}])
    assert curves == [["level", [-5, None, 1e300, 2], -5, 1e300]]
