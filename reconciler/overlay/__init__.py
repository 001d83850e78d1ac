"""Node slices as Kubernetes objects: how they are written down, and how an agent reads its own."""
