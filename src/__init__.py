"""AUDIOS: detects speech that a machine made. The rooms are described in README.md."""
