"""Support vector machine on standardised embeddings; the score is the signed distance from the decision boundary."""

from src.models.svm.svm_model import Svm, SvmConfig

__all__ = ["Svm", "SvmConfig"]
