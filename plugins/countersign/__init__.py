"""Countersign: evidence about LLM traffic that someone who does not trust you can check."""

__version__ = "0.1.0"
