"""The flags of tasks whose work an engine may carry out (`src/engines`)."""

from dataclasses import dataclass

from src.engines.contract import Engine


@dataclass(frozen=True)
class EngineFlags:
    """The flags that choose an engine."""

    engine: str = "local"
    workers: int = 0
    address: str = ""
    partition: str = ""
    time_limit: int = 0

    def chosen_engine(self) -> Engine:
        """Return the engine that the flags choose; ValueError when they do not fit together."""
        return Engine(self.engine, self.workers, self.address, self.partition, self.time_limit)
