"""Where the bytes of a recording lie: in a file of its own, inside a tar, or in storage that is read over a network."""
