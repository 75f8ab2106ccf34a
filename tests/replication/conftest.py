"""A Hypothesis profile for the mutation check: search long, do not shrink."""

import os

from hypothesis import HealthCheck, Phase, settings

if os.environ.get("DRSIM_MUTANTS"):
    settings.register_profile(
        "mutants",
        max_examples=int(os.environ["DRSIM_MUTANTS"]),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
