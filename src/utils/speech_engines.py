"""Text-to-speech engines that are installed as commands: a sentence in, a WAV file out.

None of them is a part of this project, nor are their voices; each has a licence of its own. An engine is a row of
`ENGINES`. Texts are handed over by standard input or as one argument, never through a shell.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LONGEST = 120.0
"""Seconds that an engine may take for one sentence."""


@dataclass(frozen=True)
class Engine:
    """How an engine is called."""

    commands: tuple[str, ...]
    """Names of the command, the first that is found is taken."""
    arguments: Callable[[str, Path, str], list[str]]
    """(voice, WAV file, text) -> arguments."""
    reads_input: bool
    """Whether the text comes by standard input."""
    default_voice: str
    """Empty: one has to be named."""
    how_to_get: str
    women: Callable[[str], bool | None]
    """Whether a voice is a woman's; None where its name does not tell."""

    def command(self) -> str:
        """Return the command; ValueError where the engine is not installed."""
        for name in self.commands:
            if found := shutil.which(name):
                return found
        raise ValueError(f"There is no command {' or '.join(self.commands)} on this machine: {self.how_to_get}.")

    def version(self) -> str:
        """Return the first line of what the engine says of its version; "unknown" where it says nothing."""
        done = subprocess.run([self.command(), "--version"], capture_output=True, text=True, timeout=LONGEST)
        lines = [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
        told = next((line for line in lines if any(sign.isdigit() for sign in line) and "ersion" in line), "")
        first = lines[0] if lines and done.returncode == 0 else "unknown"
        return (told or first).split("  Data at:")[0]

    def speak(self, voice: str, text: str, path: Path) -> None:
        """Write a sentence as a WAV file.

        Raises
        ------
        ValueError
            When the engine fails; with its own last words.
        """
        command = [self.command(), *self.arguments(voice, path, text)]
        given = text if self.reads_input else ""
        try:
            done = subprocess.run(
                command,
                input=given,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"{self.commands[0]} took more than {LONGEST:g} s for '{text[:40]}'.") from None
        if done.returncode or not path.is_file():
            said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
            raise ValueError(
                f"{self.commands[0]} with the voice '{voice}' failed: {said[-1].strip() if said else 'no reason given'}"
            )


ENGINES = {
    "espeak": Engine(
        ("espeak-ng", "espeak"),
        lambda voice, path, text: ["-v", voice, "-w", str(path), "--stdin"],
        True,
        "en-us",
        "apt install espeak-ng",
        lambda voice: "+f" in voice,
    ),
    "flite": Engine(
        ("flite",),
        lambda voice, path, text: ["-voice", voice, "-o", str(path), "-t", text],
        False,
        "slt",
        "apt install flite",
        lambda voice: voice == "slt" if voice in ("slt", "kal", "kal16", "awb", "rms") else None,
    ),
    "piper": Engine(
        ("piper",),
        lambda voice, path, text: ["--model", voice, "--output_file", str(path)],
        True,
        "",
        "pip install piper-tts, and fetch a voice (a file .onnx with its .onnx.json)",
        lambda voice: None,
    ),
}
"""Name -> engine."""
