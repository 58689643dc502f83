"""Builds verifiable tool-use environments and trains language models in them."""

__version__ = "0.1.0"
