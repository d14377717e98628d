"""What happens to an upload: it is checked, judged, drawn, kept where that was asked for, and removed in any case."""

import io
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from src.deploy.doubt import Doubt, read_doubt
from src.deploy.judge import Judge, open_judge
from src.deploy.pictures import HOP_SECONDS, WINDOW_SECONDS, hear
from src.deploy.predict import Asked, predict_files
from src.deploy.serving.answers import About, Pictures, answered, refused
from src.deploy.serving.rules import Rules
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained
from src.metrics.conformal import Rejection
from src.visualize.prediction import prediction_figure
from src.visualize.style import DPI

NARROW = (4.6, 6.0)
"""Inches, for the screens of phones, on which the letters of a wide picture could not be read."""
_CAPTION = (
    f"The waveform, its spectrogram, and the score of windows of {WINDOW_SECONDS:g} s, one every {HOP_SECONDS:g} s or "
    "more: blue ones speak for bona fide, vermilion ones for spoof, and the dashed line is the threshold. A window has "
    "less to go by than the whole: read the course of the line, not a single point."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reception:
    """A run that answers for uploads."""

    judge: Judge
    rules: Rules
    asked: Asked
    about: About

    def answer(self, upload: Path, name: str) -> str:
        """Return the answer for an upload as HTML, and remove the upload.

        Parameters
        ----------
        upload : Path
            In the folder of uploads.
        name : str
            What its owner calls it.
        """
        try:
            return self._answer(upload, name)
        except FileNotFoundError:
            return refused(name, "It is no longer there; give it once more.")
        except Exception:  # a page outlives its errors: the answer says that there was one, the terminal which
            _log.exception("%s could not be judged.", upload)
            return refused(name, "An error within AUDIOS; the terminal that serves this page says which.")
        finally:
            upload.unlink(missing_ok=True)

    def _answer(self, upload: Path, name: str) -> str:
        if reason := self.rules.refusal(upload):
            return refused(name, reason)
        (prediction,) = predict_files(self.judge, [upload], self.asked)
        if prediction.error:
            return refused(name, f"It cannot be judged: {prediction.error}.")
        page = answered(prediction, name, self.about, self._draw(upload))
        self.rules.keep_copy(upload, name, datetime.now())
        return page

    def _draw(self, upload: Path) -> Pictures:
        heard = hear(self.judge, upload)
        figure = prediction_figure(heard, self.judge.threshold)
        wide = _as_png(figure)
        for axes in figure.axes:
            if legend := axes.get_legend():
                legend.remove()  # wider than the picture; the caption says the same
        figure.set_size_inches(*NARROW)
        return Pictures(wide, _as_png(figure), _CAPTION)


def open_reception(name: RunName, rules: Rules, *, root: Path, model: str | None = None) -> Reception:
    """Load a run, and make the folder of what is kept; raises what `read_trained` and `open_judge` raise."""
    rules.make_folder()
    trained = read_trained(root, name)
    judge = open_judge(trained, root=root, model=model)
    doubt = read_doubt(trained, root)
    rejection, no_promise = _rejection_of(doubt)
    about = About(
        str(trained.name),
        trained.threshold,
        float(trained.metrics["eer"]),
        trained.is_calibrated,
        rejection,
        no_promise,
    )
    return Reception(judge, rules, Asked(doubt=doubt, rejection=rejection), about)


def _rejection_of(doubt: Doubt) -> tuple[Rejection | None, str]:
    """Return the decisions with rejection of a run; where it can promise nothing, None and the reason."""
    try:
        rejection = doubt.rejection()
    except ValueError as error:  # of a version that kept no scores of its validation
        return None, str(error)
    return (None, rejection.note) if rejection.note else (rejection, "")


def _as_png(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    return content.getvalue()
