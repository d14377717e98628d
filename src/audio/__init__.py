"""Waveforms only: arrays of float32 samples, mono, within [-1, 1], their rate in hertz travelling beside them.

`io` is the one file that opens and writes recordings; everything else takes and returns arrays.
"""
