"""Linux as a node's data plane, observed and changed through iproute2."""
