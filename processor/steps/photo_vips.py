"""libvips, set up for hostile files and for one process per core. Everything else imports pyvips from here.

Only the loaders of the accepted formats may run (libvips has some for SVG, raw memory, CSV and its own format, which
are not for strangers' files). One thread: an image does not need the other cores, other images do, and its
operation cache would hold decoded pixels of a finished photo.
"""

import os

os.environ["VIPS_CONCURRENCY"] = "1"  # Read once, when the library loads.

import pyvips

LOADERS = {
    "image/jpeg": "VipsForeignLoadJpegFile",
    "image/png": "VipsForeignLoadPngFile",
    "image/webp": "VipsForeignLoadWebpFile",
    "image/avif": "VipsForeignLoadHeifFile",
    "image/tiff": "VipsForeignLoadTiffFile",
    "image/gif": "VipsForeignLoadNsgifFile",
}

pyvips.operation_block_set("VipsForeignLoad", True)
for _loader in LOADERS.values():
    pyvips.operation_block_set(_loader, False)
pyvips.concurrency_set(1)
pyvips.cache_set_max(0)

__all__ = ["LOADERS", "pyvips"]
