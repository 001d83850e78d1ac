"""GoBGP 3 over gRPC: SR policies (RFC 9830) announced and withdrawn, and what was received from peers."""
