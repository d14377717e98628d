"""The built-in recipes, as JSON has them (`recipes.py` says how to read them)."""

from typing import Any

RECIPES: dict[str, list[dict[str, Any]]] = {
    "field": [
        {"probability": 0.5, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 10, "to": 40}}}]},
        {"probability": 0.5, "one_of": [{"effect": "level", "parameters": {"dbfs": {"from": -40, "to": -18}}}]},
    ],
}
"""Name of a recipe -> its entries."""
