"""PNG pictures in pages: checking, embedding and describing them."""

import base64

from src.visualize.pages.records import Outcome, Picture, Run
from src.visualize.pages.words import rough

_START, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"

TITLES = {
    "loss_plot.png": "Learning curves",
    "layer_weights.png": "Weights of the layers",
    "det_curve.png": "Detection error trade-off",
    "roc_curve.png": "Receiver operating characteristic",
    "score_histogram.png": "Scores of both classes",
    "confusion_matrix.png": "Decisions",
    "optimization_history.png": "History",
    "param_importances.png": "Importance of each hyperparameter",
    "eer_by_layer.png": "EER by layer",
    "importance.png": "What the run needs",
    "cues.png": "Cheap cues by group",
    "features.png": "Strongest features by group",
    "stress.png": "EER under distortions",
}
_DESCRIPTIONS = {
    "loss_plot.png": "Training and validation loss by epoch, and the validation EER; the ring marks the epoch kept.",
    "layer_weights.png": "How much each hidden layer counts in the mix that was learnt; the weights sum to 100 %.",
    "det_curve.png": "Both error rates at every threshold, on normal-deviate axes; nearer to the lower left is better.",
    "roc_curve.png": "Bona fide clips accepted against spoofs accepted at every threshold; nearer to the upper left is "
    "better.",
    "score_histogram.png": "Shares of bona fide clips (blue) and spoofs (vermilion) by score, higher = more bona fide, "
    "and the threshold between them; the less they overlap, the better.",
    "confusion_matrix.png": "How many clips of each class were called bona fide and spoof; those on the "
    "diagonal are correct.",
    "optimization_history.png": "EER of every trial in turn, and the best so far; lower is better.",
    "param_importances.png": "One bar for each hyperparameter: its share of the variation in the EER of the trials.",
    "eer_by_layer.png": "EER of every layer of the model, with its interval; lower is better.",
    "importance.png": "By how much EER and Cllr rise without each part of the input, with intervals over people; the "
    "further to the right, the more the run leans on the part.",
    "cues.png": "Properties of the test clips that need no listening, for the classes (bona fide blue), the genders "
    "and the spoof systems; where violins differ, the property tells the groups apart.",
    "features.png": "The features that separate the classes of the validation clips best, on the test clips, for the "
    "classes (bona fide blue), the genders and the spoof systems.",
    "stress.png": "One panel for each distortion, the mild strengths on the left; bars are 95 % intervals, and the "
    "dotted line is the EER without any.",
}


def parse_picture(name: str, content: bytes) -> Picture:
    """Return a PNG with its size in pixels.

    Raises
    ------
    ValueError
        When the bytes are no PNG, or a truncated one.

    Examples
    --------
    >>> parse_picture("loss_plot.png", b"")
    Traceback (most recent call last):
    ValueError: loss_plot.png is empty.
    """
    if not content:
        raise ValueError(f"{name} is empty.")
    if not content.startswith(_START) or content[12:16] != b"IHDR":
        raise ValueError(f"{name} is no PNG.")
    if not content.endswith(_END):
        raise ValueError(f"{name} is truncated.")
    return Picture(name, content, int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big"))


def data_url(picture: Picture) -> str:
    """Return a picture as a data URL.

    >>> data_url(Picture("a.png", b"abc", 1, 1))
    'data:image/png;base64,YWJj'
    """
    return "data:image/png;base64," + base64.b64encode(picture.content).decode()


def described(picture: Picture, of: Run | Outcome | None = None) -> tuple[str, str]:
    """Return the title and the description of a picture, with the EER of its run or test.

    >>> described(Picture("own.png", b"", 1, 1))
    ('own.png', 'A picture called own.png.')
    """
    title = TITLES.get(picture.name, picture.name)
    seen = _DESCRIPTIONS.get(picture.name, f"A picture called {picture.name}.")
    metrics = of.metrics if isinstance(of, Outcome) else of.validation if of else {}
    if "eer" in metrics and picture.name in TITLES:
        seen += f" EER {rough(metrics['eer'].value)}."
    return title, seen
