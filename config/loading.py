"""Everything that is configured, from file to checked model: the way in for the other packages.

Every error is a `core.errors.ConfigError` whose `where` is ``file:line: key``.
"""

from config.agent import AgentConfig, load_agent
from config.documents import DocumentError, load_yaml
from config.hq import HqConfig, load_hq
from config.profile import Profile, load_profile, profile_digest, profile_ids

__all__ = [
    "AgentConfig",
    "DocumentError",
    "HqConfig",
    "Profile",
    "load_agent",
    "load_hq",
    "load_profile",
    "load_yaml",
    "profile_digest",
    "profile_ids",
]
