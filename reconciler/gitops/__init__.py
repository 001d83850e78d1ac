"""The loop that follows a branch of a git remote; `loop` is where to begin reading."""
