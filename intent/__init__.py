"""What the user wants: sources, diagnostics, and one validated document per intent."""
