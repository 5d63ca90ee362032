# SPDX-License-Identifier: MIT
"""NumPy arrays as the bytes of .npy files, and the 16-bit floats that NumPy does not round or know by itself."""

import io

import numpy

TYPE = "application/x-npy"


def save(array, version=None):
    """The array as numpy.save would write it; `version` (1, 0), (2, 0) or (3, 0)."""
    out = io.BytesIO()
    numpy.lib.format.write_array(out, array, version=version, allow_pickle=False)
    return out.getvalue()


def load(raw):
    """The array in the bytes, all of which must belong to it."""
    stream = io.BytesIO(raw)
    array = numpy.load(stream, allow_pickle=False)
    if stream.read():
        raise AssertionError("there are bytes after the array")
    return array


def bfloat16_from(array):
    """The bits, as uint16, of the bfloat16 values nearest to an array of float64: ties to even, rounded once.
    For normal results."""
    bits = numpy.ascontiguousarray(array, "<f8").view("<u8")
    sign = (bits >> numpy.uint64(63)).astype("<u2") << 15
    exponent = ((bits >> numpy.uint64(52)) & numpy.uint64(0x7FF)).astype("<i8") - 1023 + 127
    fraction = (bits & numpy.uint64((1 << 52) - 1)).astype("<i8")
    kept = (exponent << 7) | (fraction >> 45)
    rest = fraction & ((1 << 45) - 1)
    kept = kept + ((rest > 1 << 44) | ((rest == 1 << 44) & (kept & 1 == 1)))
    return numpy.where(numpy.ascontiguousarray(array) == 0, 0, kept).astype("<u2") | sign


def bfloat16_values(bits):
    """What the bits mean, as float64."""
    return (bits.astype("<u4") << 16).view("<f4").astype("<f8")
