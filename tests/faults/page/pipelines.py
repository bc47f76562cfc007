"""Pipelines for what the page has to show."""

SQUARE = '''
import numpy as np

class Square:
    """Finds the one white square in the picture."""
    pure = True

    def __call__(self, payload):
        rows, columns = np.nonzero(payload["frame"].min(axis=2) > 180)
        left, top = int(columns.min()), int(rows.min())
        width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
        box = {"x": left, "y": top, "width": width, "height": height}
        return {"objects": [{"label": "square", "bbox": box}]}

factory = Square
'''

HOSTILE = """
TEXTS = [
    "<img src=x onerror=\\"window.struck = 1\\">",
    "<script>window.struck = 1</script>",
    "javascript:window.struck = 1",
    "\\u202egnp.exe \\u0000\\u0007",
    "{{constructor.constructor('window.struck = 1')()}}",
    "long " * 200_000,
]
BOX = {"x": 1, "y": 1, "width": 20, "height": 20}
CORNERS = [
    {"bbox": {"x": "1", "y": None, "width": [], "height": {}}},
    {"bbox": {"x": -1e308, "y": 1e308, "width": 1e308, "height": -1e308}},
    {"points": [{"x": 1, "y": 1}]},
    {"points": [None, 1, "x"]},
    {"xyxy": [1, 2, 3]},
    {"bbox": BOX},
]

def factory():
    def run(payload):
        return {
            "__proto__": [{"label": "of no prototype"}],
            "constructor": 1,
            "toString": 2,
            **{f"{n} in frame {payload['frame_index']}": n for n in range(1000)},
            "blocks": [
                {"text": text, "confidence": "<b>", **corners}
                for text, corners in zip(TEXTS, CORNERS)
            ],
            "many": [{"label": f"box {n}", "bbox": BOX} for n in range(20_000)],
        }
    return run
"""

SHOTS = """
def factory():
    return lambda payload: {"shot": payload["frame_index"] // 4, "brightness": 0.5}
"""

SOURCES = {"square": SQUARE, "hostile": HOSTILE, "cuts": SHOTS}
