import avemotion.system.environment  # noqa: F401  sets what must be set before torch is loaded
