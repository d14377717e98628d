"""The tasks of AUDIOS: `fab -l` lists them, `fab -h TASK` explains the flags of one."""

from src.tasks.augmentation import augment_dataset, augmentation_gallery, stress_test
from src.tasks.checks import check_dataset, merge_datasets
from src.tasks.classifiers import (
    demo,
    fuse_runs,
    optimize_hyperparameters,
    pipeline,
    put_to_test,
    train_model,
)
from src.tasks.corpora import (
    add_dataset_amplitude,
    add_dataset_duration,
    add_noise,
    create_spoofs,
    cut_noise,
    dataset_info,
    generate_dataset_csv,
    normalize_dataset,
    prepare_dataset,
    splice_spoofs,
    split_dataset,
)
from src.tasks.detectors import fine_tune, train_detector
from src.tasks.doubt import drift, trace
from src.tasks.elsewhere import benchmark
from src.tasks.embeddings import (
    embeddings_info,
    generate_embeddings,
    generate_embeddings_hubert,
    generate_embeddings_wav2vec2,
    visualize_embeddings,
    visualize_embeddings_tsne,
    visualize_embeddings_umap,
)
from src.tasks.explanations import explain_run
from src.tasks.exports import export_model
from src.tasks.folds import cross_validate
from src.tasks.predict import predict
from src.tasks.pretraining import pretrain_backbone
from src.tasks.probing import probe_backbone
from src.tasks.publishing import export_arena, model_card
from src.tasks.remote import remote
from src.tasks.review import (
    compare_layers,
    compare_runs,
    evaluate_scores,
    report_runs,
    reproduce_run,
)
from src.tasks.serve import serve
from src.tasks.streams import stream

__all__ = [
    "add_dataset_amplitude",
    "add_dataset_duration",
    "add_noise",
    "augment_dataset",
    "augmentation_gallery",
    "benchmark",
    "check_dataset",
    "compare_layers",
    "compare_runs",
    "create_spoofs",
    "cross_validate",
    "cut_noise",
    "dataset_info",
    "demo",
    "drift",
    "embeddings_info",
    "evaluate_scores",
    "explain_run",
    "export_arena",
    "export_model",
    "fine_tune",
    "fuse_runs",
    "generate_dataset_csv",
    "generate_embeddings",
    "generate_embeddings_hubert",
    "generate_embeddings_wav2vec2",
    "merge_datasets",
    "model_card",
    "normalize_dataset",
    "optimize_hyperparameters",
    "pipeline",
    "predict",
    "prepare_dataset",
    "pretrain_backbone",
    "probe_backbone",
    "put_to_test",
    "remote",
    "report_runs",
    "reproduce_run",
    "serve",
    "splice_spoofs",
    "split_dataset",
    "stream",
    "stress_test",
    "trace",
    "train_detector",
    "train_model",
    "visualize_embeddings",
    "visualize_embeddings_tsne",
    "visualize_embeddings_umap",
]
