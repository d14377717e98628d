"""A waveform through a real encoder and decoder, in memory, by FFmpeg through PyAV."""

from functools import lru_cache


@lru_cache
def has_encoder(name: str) -> bool:
    """Tell whether this build of FFmpeg has an encoder.

    >>> has_encoder("pcm_mulaw"), has_encoder("wax_cylinder")
    (True, False)
    """
    import av

    try:
        return bool(av.codec.Codec(name, "w").name)
    except ValueError:
        return False
