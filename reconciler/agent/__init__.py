"""The agent of one node: it takes the node's slice of the graph and keeps the local data plane like it."""
