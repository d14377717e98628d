"""One file per corpus: how what its makers publish becomes our table of clips.

A layout is a function of the corpus folder that returns the columns file, speaker, id, gender, label, system.
"""

LAYOUTS = {"audios": "src.corpora.audios:read_layout"}
"""Name of a layout -> "module:function"."""
