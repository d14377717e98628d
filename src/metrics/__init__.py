"""Labels and scores in, numbers out: error rates, detection costs, calibration and the report that gathers them.

A metric is a pure function `f(y_true, y_scores, ...)` on arrays of one dimension; it opens no file and imports no
other room. Label 1 is bona fide, 0 is spoof; a higher score is more bona fide. `checks` refuses what breaks these
conventions.
"""
