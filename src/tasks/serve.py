"""The task that serves a page on which a run judges recordings."""

import warnings
from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.utils.paths import ROOT


@dataclass(frozen=True)
class ServeFlags(RunFlags):
    """The flags of Serve."""

    host: str = "127.0.0.1"
    port: int = 7860
    max_seconds: float = 600.0
    max_megabytes: float = 120.0
    keep: Path | None = None
    model: str = ""


@command(
    "Serve",
    classifier="classifier of the study, beside --study-number=",
    host="address of the page: 127.0.0.1 = this machine alone (default), 0.0.0.0 = all that reach it",
    port="port of the page; 0 = any that is free (default 7860)",
    max_seconds="longest recording that is judged (default 600)",
    max_megabytes="largest file that is taken (default 120)",
    keep="folder to keep the recordings in that are judged (default: none is kept)",
    model="folder of the backbone's model, where the run's embeddings are of a local one",
    **RUN_HELP,
)
def serve(c: Connection, flags: ServeFlags) -> None:
    """Open a local page: drop a recording, read what the run says of it, why, and how far to trust it."""
    from src.deploy.serving import server
    from src.deploy.serving.reception import open_reception
    from src.deploy.serving.rules import Rules
    from src.tasks.detectors import found_model

    rules = Rules(flags.max_seconds, flags.max_megabytes, flags.keep)
    server.require_gradio()
    with server.take_port(flags.host, flags.port) as listener:
        if not server.is_loopback(listener):
            warnings.warn(
                "ANYBODY WHO REACHES THIS MACHINE CAN USE THE PAGE: it asks for no password, and recordings travel to "
                "it unencrypted. Leave out `host` to keep it to this machine.",
                stacklevel=1,
            )
        model = str(found_model({"model": flags.model})["model"]) or None
        reception = open_reception(flags.name(), rules, root=ROOT, model=model)
        run = reception.about.run
        server.serve(reception, listener, lambda where: print(f"{run} answers at {where} (Ctrl-C ends it)."))
    print("The page has ended" + ("." if flags.keep else "; nothing that was given to it is left."))
