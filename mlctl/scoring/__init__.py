"""Everybody scored: on one machine or an engine's, by one release or two, published for readers, and read back."""
