"""Waveforms only: arrays of float32 samples, mono, within [-1, 1], their rate in hertz travelling beside them.

`io` reads and writes recordings for all other rooms. Behind it, `decoders` chooses the decoder (`by_libsndfile`,
`by_ffmpeg`, `mpeg_decoder`), after `chunks`, `ogg`, `mpeg` and `whole` have checked that the file is complete.
Everything else takes and returns arrays.
"""
