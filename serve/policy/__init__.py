"""Decide about a report: load.py reads the policy, rules.py says what it is, decide.py applies it."""

from serve.policy.decide import verdict_of
from serve.policy.load import NO_POLICY, NamedPolicy, find_policy

__all__ = ["NO_POLICY", "NamedPolicy", "find_policy", "verdict_of"]
