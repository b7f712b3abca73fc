"""The generated leaf photos: a leaf, its disease, a camera."""
