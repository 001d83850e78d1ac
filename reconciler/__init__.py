"""Make it so: plan, apply, observe, and the drivers that reach the targets."""
