"""The page itself: where a recording is dropped or made, and where the answer appears.

Fonts are those of the system, and pictures are part of the answer's HTML, so the browser asks for nothing but Gradio's
own files, and no file of the server's disk is ever served. A recording is judged as soon as it is there, and the place
for it is empty again when the answer is.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradio import Blocks
    from gradio.themes import Base

CSS = Path(__file__).parent / "templates" / "page.css"
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Noto Sans", "Arial", "sans-serif")
MONOSPACED = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
NOTHING_YET = "<p class='nothing'>The answer will appear here.</p>"
RECORDED = "Recording from the microphone"
_SWEPT_EVERY, _SWEPT_AFTER = 60, 600
"""Seconds: uploads that were never judged, as their page was closed, are removed."""
_WAITING = 16
"""Most recordings that wait for their turn."""


def theme() -> "Base":
    """Return the look of the page: Gradio's plainest theme in fonts that every system has."""
    from gradio.themes import Base

    return Base(primary_hue="blue", font=FONTS, font_mono=MONOSPACED, text_size="lg")


def build_page(answer: Callable[[Path, str], str], head: str, *, may_record: bool) -> "Blocks":
    """Return the page.

    Parameters
    ----------
    answer : callable
        An upload and its name -> the answer in HTML; it removes the upload.
    head : str
        HTML above all: what this is, what it takes, what becomes of it.
    may_record : bool
        Browsers give the microphone only to pages of their own machine, and to those with a certificate.
    """
    import gradio as gr

    def judge(upload: dict[str, Any] | None) -> tuple[Any, None]:
        if not upload:
            return gr.skip(), None
        path = Path(upload["path"])
        return answer(path, str(upload.get("orig_name") or path.name)), None

    def judge_recorded(upload: dict[str, Any] | None) -> tuple[Any, None]:
        return judge(upload and upload | {"orig_name": RECORDED})

    with gr.Blocks(
        title="AUDIOS", analytics_enabled=False, delete_cache=(_SWEPT_EVERY, _SWEPT_AFTER), fill_width=True
    ) as page:
        gr.HTML(head, elem_id="head", js_on_load=None)
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=2, min_width=300):
                with gr.Tab("A file"):
                    dropped = gr.File(label="Recording, or video with sound", height=220, elem_id="drop")
                if may_record:
                    with gr.Tab("The microphone"):
                        recorded = gr.Audio(
                            sources=["microphone"], label="Record", editable=False, buttons=[], elem_id="record"
                        )
            with gr.Column(scale=3, min_width=300):
                shown = gr.HTML(NOTHING_YET, elem_id="answer", js_on_load=None)
        options: dict[str, Any] = {"preprocess": False, "api_visibility": "private", "concurrency_id": "judge"}
        dropped.upload(judge, dropped, [shown, dropped], **options)
        if may_record:
            recorded.stop_recording(judge_recorded, recorded, [shown, recorded], **options)
    page.queue(max_size=_WAITING, default_concurrency_limit=1)
    return page
