"""What intent means: pure passes from validated documents to a graph of everything that should exist."""
