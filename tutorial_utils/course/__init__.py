"""Where am I, and what next? The top floor, where the wings meet."""
