"""zxing-cpp reads a UPC-A code as an EAN-13 one, with a digit more.

Expected: the format UPC-A and the 12 digits that are printed below the bars, as the writer of the
    same library says of the picture that it makes.
Happens: the format EAN-13 and 13 digits, the first of them a zero. Both stand for the same number
    (GTIN), so nothing is lost; whoever compares the text with a list of UPC numbers finds none.
Versions: zxing-cpp 3.1.1, numpy 2.4.6, Python 3.11; 2026-11-28.
Matters: products of North America carry UPC-A, so a job over a video of them answers with numbers
    that its user has not got, although every code was read.
"""

import subprocess
import sys
import tempfile

PACKAGES = ["zxing-cpp==3.1.1", "numpy==2.4.6"]
DIGITS = "036000291452"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
        subprocess.run([*install, *PACKAGES], check=True)
        sys.path.insert(0, folder)
        return 0 if is_as_said() else 1


def is_as_said() -> bool:
    import numpy as np
    import zxingcpp

    written = zxingcpp.create_barcode(DIGITS, zxingcpp.BarcodeFormat.UPCA)
    picture = np.pad(np.asarray(written.to_image(scale=4)), 40, constant_values=255)
    (read,) = zxingcpp.read_barcodes(picture)
    print(f"written as {written.format}: {DIGITS}; read as {read.format}: {read.text}")
    return (str(read.format), read.text) == ("EAN-13", f"0{DIGITS}")


if __name__ == "__main__":
    sys.exit(main())
