"""Recorder of what cells put out while nobody looks, and of how it comes into their notebook."""
