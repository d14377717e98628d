"""Fine-tuning: a pretrained speech model and a head, trained end to end or the head alone.

    waveforms (b, n) -> encoder -> L + 1 hidden states (b, t, d) -> one of them, a mix, or all -> head -> logits (b, 2)

The defaults are a plain recipe: wav2vec2-base, windows of 4 s padded with zeros or cut, dropout, a dense layer,
cross-entropy, AdamW, a linear schedule with warm-up, 5 epochs, batches of 4. The encoder's convolutions are frozen, the
rest is trained at a tenth of the head's learning rate (3e-5 and 3e-4), so that little of the pretraining is undone.
With the encoder frozen as a whole (`freeze` "encoder") the head learns alone; a higher rate is worth a try then.
Afterwards the encoder may be made smaller (`prune`), and all of it trained to bear eight bits (`quantize`).
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import nn

from src.backbones import BACKBONES
from src.backbones.pretrained import displayed_name, load_pretrained
from src.backbones.published import FAMILIES, FINE_TUNABLE, OF_WAVEFORMS
from src.detectors import retraining
from src.detectors.compression import Compression, bytes_of
from src.detectors.contract import DetectorConfig
from src.detectors.detector import WEIGHTS, Detector
from src.detectors.field_of_view import RATE
from src.detectors.fine_tuned_network import FineTunedNetwork
from src.detectors.freezing import FREEZES, trained_parts
from src.detectors.heads import HEADS
from src.detectors.heads.pooling import MIX_RATE
from src.detectors.kept_encoder import FACTS, facts_of, give_shape, left_out, restored
from src.detectors.pretrained_encoder import PretrainedEncoder, Source
from src.detectors.pruning import PRUNABLE, check_pruning
from src.detectors.training.lesson import Surroundings, load_weights
from src.detectors.training.windows import window_samples
from src.learning.randomness import own_randomness
from src.models.contract import History, check_choice, check_range, reading_weights
from src.utils.files import read_record, text_digest, write_json
from src.utils.registry import lookup, require_known
from src.utils.waveform_table import WaveformTable

if TYPE_CHECKING:
    import optuna

BACKBONE = "backbone.json"
"""What a run keeps of its backbone beside the weights."""
ENCODERS = {
    **dict.fromkeys(OF_WAVEFORMS, "src.detectors.encoder:Encoder"),
    "whisper": "src.detectors.whisper_encoder:WhisperEncoder",
}
"""Backbone -> "module:class" of its encoder."""


@dataclass(frozen=True)
class FineTunedConfig(DetectorConfig):
    """Hyperparameters of fine-tuning."""

    epochs: int = 5
    batch_size: int = 4
    learning_rate: float = 3e-4
    """Of the head, at its peak."""
    weight_decay: float = 0.01
    schedule: str = "linear"
    patience: int = 5
    padding: str = "zeros"
    backbone: str = "wav2vec2"
    model: str = ""
    """Hub id or local folder; "" = the backbone's default."""
    head: str = "linear"
    freeze: str = "features"
    """What is never trained: the "encoder" as a whole, its "features" (convolutions), or "none"."""
    gradual: int = 0
    """Encoder layers that join the training in every epoch, from the top; 0 = all from the start."""
    layer: int = -1
    """Hidden state that the head stands on, from 0; -1 = the last."""
    layer_weights: bool = False
    """The head stands on a learnt mix of all layers instead."""
    encoder_learning_rate: float = 0.1
    """Learning rate of the encoder, as a factor on the head's."""
    head_size: int = 128
    """Width inside the head; "linear" has none."""
    attention_heads: int = 32
    """Of the head "attentive"."""
    dropout: float = 0.1
    """In the head; the encoder has its own."""
    mask_frames: float = 0.0
    """About what share of the encoder's frames is masked in training, in spans of 0.2 s; 0 = none."""
    prune: float = 0.0
    """Share of the encoder's attention heads and feed-forward units that is cut out after the training, which two
    fifths of its epochs follow; 0 = none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_known(BACKBONES, self.backbone, "backbone")
        if self.backbone not in FINE_TUNABLE:
            raise ValueError(
                f"The backbone {self.backbone} cannot be fine-tuned; `backbone` may be {', '.join(FINE_TUNABLE)}."
            )
        require_known(HEADS, self.head, "head")
        check_choice("freeze", self.freeze, FREEZES)
        check_range("gradual", self.gradual, 0, 1_000)
        check_range("encoder_learning_rate", self.encoder_learning_rate, 1e-6, 10)
        check_range("head_size", self.head_size, 1, 65_536)
        check_range("attention_heads", self.attention_heads, 1, 1_024)
        check_range("dropout", self.dropout, 0, 0.95)
        check_range("mask_frames", self.mask_frames, 0, 0.95)
        if not 0 <= self.prune < 1:
            raise ValueError(f"`prune` must lie between 0 and 1, such as 0.3, not {self.prune:g}.")
        if self.prune and self.backbone not in PRUNABLE:
            raise ValueError(
                f"`prune` cannot cut heads out of the attention of {self.backbone}; `backbone` may be "
                f"{', '.join(PRUNABLE)}."
            )
        if self.freeze == "encoder" and (self.gradual or self.mask_frames):
            name = "gradual" if self.gradual else "mask_frames"
            raise ValueError(
                f"`{name}` is for an encoder that is trained, and `freeze` is encoder: "
                f"choose `freeze` features or none, or leave out `{name}`."
            )
        if self.layer_weights and self.head == "attentive":
            raise ValueError("The head attentive mixes the layers by itself: leave out `layer_weights`.")
        if self.layer != -1 and (self.layer_weights or self.head == "attentive"):
            raise ValueError("A head on a mix of all layers has no `layer`: leave it out, or leave out the mix.")
        if self.layer != -1 and self.freeze != "encoder":
            raise ValueError("A `layer` below the last is for an encoder that is frozen: choose `freeze` encoder.")

    @classmethod
    def search_space(cls, trial: "optuna.Trial", n_clips: int = 0) -> Self:
        """Let a trial choose the head, how much of the encoder is trained, the learning rates and the dropout."""
        head = trial.suggest_categorical("head", ("linear", "adapter", "attentive"))
        return cls(
            head=head,
            freeze=trial.suggest_categorical("freeze", ("encoder", "features")),
            layer_weights=trial.suggest_categorical("layer_weights", (False, True)) and head != "attentive",
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-3, log=True),
            encoder_learning_rate=trial.suggest_float("encoder_learning_rate", 0.01, 0.3, log=True),
            dropout=trial.suggest_float("dropout", 0.0, 0.5),
        )


class FineTuned(Detector):
    """A pretrained speech model with a head, behind the contract of all detectors."""

    Config = FineTunedConfig
    config: FineTunedConfig
    files: ClassVar[tuple[str, ...]] = (WEIGHTS, BACKBONE)
    min_samples: ClassVar[int] = 400  # of all published models on waveforms
    recomputes = True

    @property
    def decides_frames(self) -> bool:
        """Whether the head decides frame by frame."""
        return self.config.head == "frame"

    def build(self) -> FineTunedNetwork:
        """Return the published encoder with a head of random weights.

        Raises
        ------
        ValueError, FileNotFoundError
            When the model cannot be loaded; the message is one line.
        """
        return self._network_on(self._load_published())

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Return what is trained in any epoch: "params", and "scale", the factor on the learning rate."""
        assert isinstance(network, FineTunedNetwork)
        encoder = network.encoder
        ever_trained = trained_parts(self.config.freeze, encoder.n_layers)
        mix = list(network.mix.parameters()) if network.mix else []
        elsewhere = {id(each) for each in (*encoder.parameters(), *mix)}
        groups = [
            {"params": [each for each in network.parameters() if id(each) not in elsewhere], "scale": 1.0},
            {"params": mix, "scale": MIX_RATE},
            {"params": encoder.parameters_of(ever_trained), "scale": self.config.encoder_learning_rate},
        ]
        return [group for group in groups if group["params"]]

    def save(self, folder: Path) -> None:
        """Write the weights, without those of a frozen encoder that can be loaded again, and backbone.json."""
        super().save(folder)
        write_json(folder / BACKBONE, self._facts())

    @classmethod
    def load(cls, folder: Path, config: DetectorConfig) -> Self:
        """Read what `save` wrote; the published model is loaded again only if the encoder was frozen."""
        detector = cls(config)
        with reading_weights(folder / WEIGHTS):
            facts = read_record(folder / BACKBONE, *FACTS)
        with own_randomness(detector.seed):
            network = detector._network_on(restored(facts, detector._load_published))
            with reading_weights(folder / WEIGHTS):
                give_shape(network.encoder, facts)
            detector.trained = detector._untrained(network)
        with reading_weights(folder / WEIGHTS):
            load_weights(detector.trained, folder / WEIGHTS, left_out(facts))
        return detector

    def _learn(self, train: WaveformTable, val: WaveformTable, around: Surroundings) -> History:
        """Train the network, and again after it was pruned where the config asks for it."""
        if not self.config.prune:
            return super()._learn(train, val, around)
        network = self.trained.network
        assert isinstance(network, FineTunedNetwork)
        check_pruning(network.encoder.blocks(), self.config.prune)
        whole = Compression(self.n_parameters, bytes_of(self.trained))
        one, other = retraining.first_training(self.config), retraining.second_training(self.config)
        first = self._train(train, val, one, self.seed, around)
        if not first.has_ended(one.epochs, one.patience):  # the trial of a study that has no hope
            return first.history
        speed = retraining.prune_network(network, self.config.prune, window_samples(self.config.seconds))
        place, seed = retraining.second_place(around, len(first.val_eers)), retraining.second_seed(self.seed)
        second = self._train(train, val, other, seed, place)
        self.compression = replace(whole, eer_before=first.history.best_eer, speed=speed)
        return retraining.joined(first.history, second.history)

    @property
    def unchanging(self) -> str:
        """The encoder's weights, where it is frozen and can be loaded again."""
        return left_out(self._facts())

    def _facts(self) -> dict[str, Any]:
        network = self.trained.network
        assert isinstance(network, FineTunedNetwork)
        config = self.config
        return facts_of(network.encoder, config.freeze, compressed=bool(config.prune or config.quantize))

    def _recipe(self, train: WaveformTable, val: WaveformTable) -> str:
        """Return what identifies a training: with its encoder, which checkpoints may lack."""
        return text_digest(f"{super()._recipe(train, val)} {self._facts()['digest']}")

    def _network_on(self, source: Source) -> FineTunedNetwork:
        kind = lookup(ENCODERS, self.config.backbone, "backbone")
        encoder: PretrainedEncoder = kind(source, mask_frames=self.config.mask_frames)
        if self.config.checkpointing:
            encoder.checkpoint_activations()
        return FineTunedNetwork(encoder, self.config)

    def _load_published(self) -> Source:
        """Load the model that the config names, from a folder or the hub."""
        name = self.config.model or FAMILIES[self.config.backbone].default
        pretrained = load_pretrained(self.config.backbone, name)
        if pretrained.rate != RATE:
            raise ValueError(f"The model takes waveforms at {pretrained.rate} Hz, and windows come at {RATE} Hz.")
        return Source(pretrained.model, pretrained.normalise, pretrained.digest, displayed_name(name))
