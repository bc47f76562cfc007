"""How a picture is as a picture: for video without text or codes, too."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLACK = 25
"""The highest luma that counts as black: a tenth of the brightness, as in FFmpeg's blackdetect."""


class QualityPipeline:
    """Answers `{"sharpness", "brightness", "contrast", "black"}`, all of them numbers.

    brightness: the mean luma, 0 to 1 (ITU-R BT.601).
    contrast: the standard deviation of luma (RMS contrast) as a share of the largest that there
        can be, half black and half white, 0 to 1.
    sharpness: the variance of the Laplacian of luma on a scale of 0 to 255, from 0 for an even
        picture up; comparable between pictures of one size and kind alone (Pech-Pacheco et al.,
        "Diatom autofocusing in brightfield microscopy", 2000).
    black: the share of pixels that are black, 0 to 1.
    """

    pure = True
    version = f"numpy {np.__version__}"

    def __call__(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        grey = luma(payload["frame"])
        brightness, variance = _mean_and_variance(grey)
        _, sharpness = _mean_and_variance(_laplacian(grey))
        return {
            "sharpness": round(sharpness, 2),
            "brightness": round(brightness / 255, 4),
            "contrast": round(sqrt(variance) / 127.5, 4),
            "black": round(int(np.count_nonzero(grey <= BLACK)) / grey.size, 4),
        }


def luma(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The brightness of each pixel (ITU-R BT.601)."""
    weighted = bgr[:, :, 0] * np.uint16(29)
    weighted += bgr[:, :, 1] * np.uint16(150)
    weighted += bgr[:, :, 2] * np.uint16(77)
    return (weighted >> 8).astype(np.uint8)


def _mean_and_variance(values: NDArray[np.integer]) -> tuple[float, float]:
    """Of whole numbers, 0 of none; the sums are exact, in less time than by ndarray.var."""
    if not values.size:
        return 0.0, 0.0
    wide = values.ravel().astype(np.float64)
    total, squares = float(wide.sum()), float(np.einsum("i,i->", wide, wide))
    mean = total / wide.size
    return mean, max(0.0, (squares - total * mean) / wide.size)


def _laplacian(luma: NDArray[np.uint8]) -> NDArray[np.int16]:
    """The sum of the four neighbours less four times the pixel, where all neighbours exist."""
    wide = luma.astype(np.int16)
    laplacian = wide[:-2, 1:-1] + wide[2:, 1:-1]
    laplacian += wide[1:-1, :-2]
    laplacian += wide[1:-1, 2:]
    laplacian -= 4 * wide[1:-1, 1:-1]
    return laplacian
