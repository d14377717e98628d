"""A run leaves the laboratory: answers for recordings that no corpus holds, streams, exports, cards, a page."""
