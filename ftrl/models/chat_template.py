"""The chat template that our models carry: ChatML with tools, in the convention of the Qwen family."""

from __future__ import annotations

from importlib import resources

CHAT_TEMPLATE: str = resources.files("ftrl.models").joinpath("templates/chatml_tools.jinja").read_text(encoding="utf-8")
"""Jinja source for ``tokenizer.chat_template``: of ``messages``, ``tools``, ``add_generation_prompt``."""
