"""Waveforms only: arrays of float32 samples, mono, within [-1, 1], their rate in hertz travelling beside them.

`io` is the door for all who read and write recordings. Behind it, `decoders` chooses who decodes (`by_libsndfile`,
`by_ffmpeg`, `mpeg_decoder`), after `chunks`, `ogg`, `mpeg` and `whole` have seen what of a file is there. Everything
else takes and returns arrays.
"""
