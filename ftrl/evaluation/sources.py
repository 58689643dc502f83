"""Every suite's data: what it is, who publishes it, under which licence, and how to get it."""

from __future__ import annotations

from collections.abc import Mapping

from ftrl.evaluation.bfcl import BFCL
from ftrl.evaluation.ftrl_suite import FtrlTest
from ftrl.evaluation.general import General
from ftrl.evaluation.rotbench import RoTBench
from ftrl.evaluation.suite import DataSource
from ftrl.evaluation.tau_bench import TauBench
from ftrl.evaluation.toolhop import ToolHop

SOURCES: Mapping[str, DataSource] = {
    suite.name: suite.source for suite in (FtrlTest, RoTBench, TauBench, ToolHop, BFCL, General)
}
"""Suite → its source."""
