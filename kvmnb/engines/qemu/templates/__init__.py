"""The store of warm-start templates in the user's cache."""
