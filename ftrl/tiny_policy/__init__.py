"""The tiny policy: a model of two million parameters that calls tools, carelessly, so that training has what to mend.

In: nothing. Out: a model folder, the one that the package brings along (``tiny_policy``), or one made anew by the very
recipe that made it (``teach``): next-token prediction on conversations of a demonstrator who knows the answers, first
a careful one, at last a careless one. It is no claim that reinforcement learning teaches the use of tools from
nothing: what it can be seen to do here is to make a careless policy careful.
"""

from ftrl.tiny_policy.shipped import tiny_policy
from ftrl.tiny_policy.teaching import teach

__all__ = ["teach", "tiny_policy"]
