"""The controls of the chapters."""
