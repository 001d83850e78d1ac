"""The words of the graph: what should exist on nodes, in clusters and in fabrics, in no target's dialect."""
