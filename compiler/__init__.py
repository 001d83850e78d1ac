"""What intent means: an ordered tuple of pure passes from validated documents to a graph of everything that should exist."""
