"""Self-supervised speech models through transformers' Auto classes: any hub id or local folder of a known family.

Every clip gives exactly the frames it would give alone. Some of these models normalise their first convolution over
time ("group" normalisation: wav2vec2-base, HuBERT-base), so that padding would change the valid frames by more than a
third; clips are therefore run together only when their lengths are equal, and nothing is ever padded.

Weights are read as float32 whatever the file holds. "bf16" runs the model in bfloat16 and keeps the statistics in
float32; half precision (fp16) is not offered: published runs met NaN with it.
"""

import textwrap
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.utils.devices import choose_device
from src.utils.files import file_digest, text_digest

FAMILIES = {"wav2vec2": "facebook/wav2vec2-base", "hubert": "facebook/hubert-large-ls960-ft"}
"""Family (transformers' model_type) -> the model taken when none is named."""
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
NORMALISATION_EPSILON = 1e-7


class SelfSupervisedBackbone:
    """A frozen speech model; layer 0 enters the transformer, layer -1 leaves it."""

    def __init__(self, family: str, name: str, *, device: torch.device, precision: str) -> None:
        config, preprocessing, self.model = _load_pretrained(family, name)
        self.model.to(device=device, dtype=PRECISIONS[precision]).eval()
        self.device, self.precision = device, precision
        self.family, self.name = family, name
        self.normalise, self.rate = preprocessing
        self.n_layers = config.num_hidden_layers + 1
        self.dimension = config.hidden_size
        self.min_samples = _samples_of_one_frame(config.conv_kernel, config.conv_stride)
        self._digest = _model_digest(name)

    def identity(self) -> dict[str, Any]:
        """Return what decides the numbers."""
        return {
            "backbone": self.family,
            "model": Path(self.name).name if Path(self.name).is_dir() else self.name,
            "digest": self._digest,
            "precision": self.precision,
            "normalisation": "zero mean, unit variance" if self.normalise else "none",
            "rate": self.rate,
            "layers": self.n_layers,
            "dimension": self.dimension,
        }

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """Return the frames of one waveform of shape (n,): shape (layers, t, d), float32."""
        return self._hidden_states([waveform])[:, 0].float().cpu().numpy()

    def statistics(self, waveforms: Sequence[np.ndarray]) -> tuple[np.ndarray, list[int]]:
        """Return mean and deviation over time of every layer, shape (b, layers, 2, d), and the b numbers of frames."""
        by_length = defaultdict(list)
        for place, waveform in enumerate(waveforms):
            by_length[len(waveform)].append(place)
        pooled = np.empty((len(waveforms), self.n_layers, 2, self.dimension), dtype=np.float32)
        n_frames = [0] * len(waveforms)
        for places in by_length.values():
            hidden = self._hidden_states([waveforms[place] for place in places])
            deviation, mean = torch.std_mean(hidden.float(), dim=2, correction=0)
            pooled[places] = torch.stack([mean, deviation], dim=2).transpose(0, 1).cpu().numpy()
            for place in places:
                n_frames[place] = hidden.shape[2]
        return pooled, n_frames

    @torch.inference_mode()
    def _hidden_states(self, waveforms: Sequence[np.ndarray]) -> torch.Tensor:
        """Run waveforms of one length; return every layer: shape (layers, b, t, d)."""
        batch = np.stack(waveforms).astype(np.float32)
        if self.normalise:
            variance = batch.var(axis=1, keepdims=True)
            batch = (batch - batch.mean(axis=1, keepdims=True)) / np.sqrt(variance + NORMALISATION_EPSILON)
        inputs = torch.from_numpy(batch).to(self.device, PRECISIONS[self.precision])
        output = self.model(inputs, output_hidden_states=True)
        # transformers 5 records the last layer of "layer" models before the normalisation that ends the transformer
        return torch.stack([*output.hidden_states[:-1], output.last_hidden_state])


def _load(family: str, model: str, device: str, precision: str) -> SelfSupervisedBackbone:
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"Unknown precision '{precision}'; allowed: auto, {', '.join(PRECISIONS)}.")
    chosen = "fp32" if precision == "auto" else precision
    return SelfSupervisedBackbone(family, model or FAMILIES[family], device=choose_device(device), precision=chosen)


load_wav2vec2 = partial(_load, "wav2vec2")
load_hubert = partial(_load, "hubert")


def _load_pretrained(family: str, name: str) -> tuple[Any, tuple[bool, int], torch.nn.Module]:
    """Load configuration, preprocessing (normalise or not, rate) and weights, or say in one line why that cannot be."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel
    from transformers.utils import logging as transformers_logging

    folder = Path(name)
    if folder.is_absolute() or name.startswith((".", "~")) or folder.is_dir():
        _check_model_folder(folder)
    hub_logging.set_verbosity_error()  # its retries would bury our one line
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    with _in_one_line(name):
        config = AutoConfig.from_pretrained(name)
    if config.model_type != family:
        raise ValueError(
            f"{name} is of the family {config.model_type}, not {family}: choose another --backbone or --model."
        )
    with _in_one_line(name):
        extractor = AutoFeatureExtractor.from_pretrained(name)
        preprocessing = bool(extractor.do_normalize), int(extractor.sampling_rate)
        model, report = AutoModel.from_pretrained(
            name, config=config, dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True
        )
    # what the file lacks would stay random; the mask is used in training only
    absent = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])} - {"masked_spec_embed"})
    if absent:
        raise ValueError(
            f"The weights of {name} do not fit its config.json ({len(absent)} are missing or of another shape, "
            f"first: {absent[0]}); fetch the model again."
        )
    return config, preprocessing, model


@contextmanager
def _in_one_line(name: str) -> Iterator[None]:
    """Turn whatever transformers, safetensors and torch raise for a model they cannot load into one line."""
    try:
        yield
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = textwrap.shorten(lines[0].rstrip(".:"), 200)
        if isinstance(error, OSError) and not Path(name).is_dir():
            raise FileNotFoundError(
                f"The model {name} is not in the hub's cache and cannot be downloaded ({reason}); "
                "connect to the network, or give a folder that holds the model by --model=FOLDER."
            ) from None
        raise ValueError(
            f"The model {name} cannot be loaded ({reason}): a file of it is damaged or of another kind; fetch it again."
        ) from None


def _check_model_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no model folder {folder}.")
    for needed in ("config.json", "preprocessor_config.json"):
        if not (folder / needed).is_file():
            raise FileNotFoundError(
                f"The model folder {folder} has no {needed}; save the model there with save_pretrained."
            )
    if not any(any(folder.glob(pattern)) for pattern in WEIGHT_FILES):
        raise FileNotFoundError(f"The model folder {folder} has no weights ({' or '.join(WEIGHT_FILES)}).")


def _model_digest(name: str) -> str:
    """Return the hub's revision, or a digest of a local folder's weights and settings."""
    if not Path(name).is_dir():
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(name, "config.json")  # .../snapshots/<revision>/config.json
        return Path(str(cached)).parent.name
    files = sorted(path for pattern in (*WEIGHT_FILES, "*config.json") for path in Path(name).glob(pattern))
    return "sha256:" + text_digest("\n".join(f"{path.name} {file_digest(path)}" for path in files))


def _samples_of_one_frame(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return the fewest samples that give a frame: undo (n - kernel) // stride + 1 = 1, layer by layer."""
    samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples
