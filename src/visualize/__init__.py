"""Arrays in, matplotlib figures out: what a corpus, a training run, a test and a study look like.

Every function returns a `matplotlib.figure.Figure` built without pyplot: nothing is registered, shown or written, so a
picture can be drawn on a machine without a screen and from several threads; the caller saves it. Bona fide is blue and
spoof vermilion in every picture; rates stand in percent.
"""

from src.visualize.places import give_matplotlib_a_place

give_matplotlib_a_place()
