"""What to run, as plain data: models, YAML with located errors, overrides, expectations, JSON Schema."""

from drsim.scenario.loading import Checked, examine, load, loads, schema, warnings
from drsim.scenario.models import Scenario
from drsim.scenario.problem import Problem, ScenarioError

__all__ = [
    "Checked",
    "Problem",
    "Scenario",
    "ScenarioError",
    "examine",
    "load",
    "loads",
    "schema",
    "warnings",
]
