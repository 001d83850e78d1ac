"""Resolve: names become the things that they name, nodes get their wiring, networks their routing zones."""
