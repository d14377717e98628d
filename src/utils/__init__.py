"""Tables, files and the embedding store on disk, and what all rooms share: labels, people, devices, processes."""
