"""Logistic regression on standardised embeddings; the score is the log-odds of bona fide."""

from src.models.logistic_regression.logistic_regression_model import LogisticRegression, LogisticRegressionConfig

__all__ = ["LogisticRegression", "LogisticRegressionConfig"]
