"""VPP over its binary API: client and codec carry messages, the driver says which ones."""
