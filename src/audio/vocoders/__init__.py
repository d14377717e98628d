"""Copy synthesis: a vocoder turns a recording into machine-made speech of the same content.

A text-to-speech system ends in a vocoder, which makes a waveform from a mel spectrogram. Taking that spectrogram from a
bona fide recording instead of a model gives a spoof with the same words, speaker, length and level: what remains to be
detected is the vocoder alone (Wang and Yamagishi, "Spoofed training data for speech spoofing countermeasure can be
efficiently created using neural vocoders", ICASSP 2023). The vocoders here are no neural ones; what each of them leaves
behind differs, and a detector that has heard several is less bound to one.

Conventions: the copy has exactly the length of its original, is not shifted in time, and has the same root mean square,
so that none of these gives the class away. Only where that would raise the peak above 1, the whole copy is scaled down:
scaling leaves no trace, clipping would. The codecs for telephones (`opus6k`, `amrnb`, `g723`) keep speech below 4 kHz
only, which gives them away at higher rates: use them beside others, or where all speech is of a telephone.

`VOCODERS` names the vocoders; a new one is a function (waveform, rate, seed) -> waveform of the same length and any
level, and one row; if it needs a package or an encoder that may be missing, also a row of `NEEDS` in `copies.py`.
"""

VOCODERS = {
    "griffinlim": "src.audio.vocoders.griffinlim:griffinlim",
    "world": "src.audio.vocoders.world:world",
    "lpc": "src.audio.vocoders.source_filter:lpc",
    "minphase": "src.audio.vocoders.source_filter:minphase",
    "harmonic": "src.audio.vocoders.source_filter:harmonic",
    "opus6k": "src.audio.vocoders.speech_codecs:opus6k",
    "amrnb": "src.audio.vocoders.speech_codecs:amrnb",
    "g723": "src.audio.vocoders.speech_codecs:g723",
}
"""Name of a vocoder -> "module:function"; the function takes (waveform, rate, seed)."""
