"""Why a model could not be asked."""

from __future__ import annotations

from ftrl.errors import FtrlError


class ModelFailure(FtrlError):
    """A model could not be asked, however often it was tried: nobody's wrong answer."""


class ModelRefused(ModelFailure):
    """The key, the account, the model or the address is wrong: asking again is of no use."""
