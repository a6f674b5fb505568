"""How arrays travel between processes: the encodings that policy servers speak, none of which can run code."""
