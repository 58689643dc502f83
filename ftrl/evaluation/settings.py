"""What can be chosen about the evaluation of a suite."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ftrl.evaluation.bfcl.data import CATEGORIES
from ftrl.evaluation.fetching import fetched
from ftrl.evaluation.tau_bench.data import TABLES
from ftrl.rollouts import CollectConfig, EngineSettings, EpisodeSettings, ProviderSettings
from ftrl.rollouts.settings import Settings


class UserSettings(Settings):
    """Who plays tau-bench's customers."""

    model: str = Field(description="Folder of a model on this machine, or PROVIDER/NAME.")
    temperature: float = Field(
        default=1.0, ge=0, description="1, a provider's default: the published scripts say none."
    )
    max_response_tokens: int = Field(default=1024, ge=1, description="Tokens of one line at most.")
    provider: ProviderSettings = ProviderSettings()


class SuiteConfig(Settings):
    """One evaluation of a suite: which tasks, which model, where to."""

    suite: Literal["bfcl", "general", "rotbench", "tau-bench", "toolhop"]
    tasks: str | None = Field(
        default=None, description="The benchmark's file or folder; what `ftrl eval fetch` got, if left out."
    )
    model: str = Field(description="Folder of a model on this machine, or PROVIDER/NAME.")
    out: str = Field(description="Folder for results.json and the episodes, local or s3://.")
    trials: int = Field(default=1, ge=1, description="Episodes of each task.")
    limit: int | None = Field(default=None, ge=1, description="Only so many tasks, drawn from all of them.")
    resume: bool = Field(default=True, description="Go on with what the folder holds; else refuse one with episodes.")
    episode: EpisodeSettings | None = Field(default=None, description="The suite's own, as published, if left out.")
    engine: EngineSettings = EngineSettings()
    provider: ProviderSettings = ProviderSettings()
    budget_usd: float | None = Field(
        default=None, gt=0, description="No further episode begins once the providers have taken so much."
    )
    categories: tuple[str, ...] = Field(default=CATEGORIES, min_length=1, description="bfcl: which of them.")
    scenario: Literal["direct", "mandatory", "free"] = Field(default="mandatory", description="toolhop: which of them.")
    mode: Literal["official", "ftrl"] = Field(default="official", description="tau-bench: whose rules.")
    domains: tuple[str, ...] = Field(default=tuple(TABLES), min_length=1, description="tau-bench: which of them.")
    user: UserSettings | None = Field(default=None, description="tau-bench: who plays the customers.")

    @property
    def data(self) -> str:
        """What the suite is given.

        Raises:
            InputError: nothing is named, and nothing was fetched.
        """
        return self.tasks or fetched(self.suite)

    def speaking(self, episode: EpisodeSettings) -> CollectConfig:
        """How the model is run, in the words in which collections say it."""
        return CollectConfig(
            tasks=self.data,
            model=self.model,
            out=self.out,
            episode=episode,
            engine=self.engine,
            provider=self.provider,
            budget_usd=self.budget_usd,
        )

    def customers(self, user: UserSettings) -> CollectConfig:
        """The same of who plays the customers; on this machine, with engines like the model's own."""
        episode = EpisodeSettings(temperature=user.temperature, max_response_tokens=user.max_response_tokens)
        return self.speaking(episode).model_copy(update={"model": user.model, "provider": user.provider})
