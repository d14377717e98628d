"""Tables, files and the embedding store: everything that lies on the disk has its reader and writer here."""
