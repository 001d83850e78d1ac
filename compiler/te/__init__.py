"""Traffic engineering: the topology of the underlay, paths through it, and the SIDs that force them."""
