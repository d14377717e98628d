"""Arrays in, matplotlib figures out: what a corpus, a training run, a test and a study look like.

Every function returns a `matplotlib.figure.Figure` built without pyplot: nothing is registered, shown or written, so
pictures can be drawn without a screen and in several threads; the caller saves them. In every picture bona fide is blue
and spoof vermilion, and rates are in percent.
"""

from src.visualize.places import give_matplotlib_a_place

give_matplotlib_a_place()
