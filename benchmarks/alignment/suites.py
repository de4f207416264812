"""AgentDojo as plain data: suites, tasks, tools, environments, and the calls that a task's ground truth makes.

The only module that knows the package (`agentdojo`, MIT licence). Everything that leaves here is JSON-like, except the
environment, which stays the package's own object: its checkers want it so.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suites
from agentdojo.task_suite.task_suite import read_suite_file

from benchmarks.alignment.handwritten import HANDWRITTEN

VERSION = "v1.2.2"
TEXT_ONLY = frozenset({("travel", "injection_task_6")})
"""Injections that want a sentence said and no call made: no gate for actions can stop them, so they aren't executed."""

Environment = Any


@dataclass(frozen=True)
class Step:
    """One call that a plan makes."""

    tool: str
    args: dict[str, Any]

    def same_as(self, other: Step) -> bool:
        return self.tool == other.tool and self.args == other.args


@cache
def suites() -> dict[str, Any]:
    """The package's suites by name."""
    return dict(get_suites(VERSION))


def user_tasks(suite: str) -> list[str]:
    return _in_order(suites()[suite].user_tasks)


def injection_tasks(suite: str) -> list[str]:
    return _in_order(suites()[suite].injection_tasks)


def _in_order(tasks: Sequence[str]) -> list[str]:
    return sorted(tasks, key=lambda name: int(name.rpartition("_")[2]))


def prompt(suite: str, user: str) -> str:
    text: str = suites()[suite].user_tasks[user].PROMPT
    return text


def goal(suite: str, injection: str) -> str:
    text: str = suites()[suite].injection_tasks[injection].GOAL
    return text


def is_shipped(suite: str, injection: str) -> bool:
    """Does the package itself ship calls for this injection?"""
    return not (suite == "workspace" and injection in HANDWRITTEN)


def tools(suite: str) -> list[dict[str, Any]]:
    """The suite's tools as MCP descriptors."""
    return [
        {"name": one.name, "description": one.description, "inputSchema": one.parameters.model_json_schema()}
        for one in suites()[suite].tools
    ]


def environment(suite: str, user: str, text: Callable[[str], str] | None = None) -> Environment:
    """The environment in which a user's task starts. `text` says what stands in each place that others write."""
    package = suites()[suite]
    made = package.load_and_inject_default_environment({}) if text is None else _injected(suite, text)
    return package.user_tasks[user].init_environment(made)


def _injected(suite: str, text: Callable[[str], str]) -> Environment:
    """Texts are put in after the file was read: a goal with quotes or line breaks can't break the YAML so."""
    package = suites()[suite]
    return package.environment_type.model_validate(
        _replaced(_with_marks(suite), {_mark(one): text(one) for one in package.get_injection_vector_defaults()})
    )


@cache
def _with_marks(suite: str) -> Any:
    package = suites()[suite]
    written = read_suite_file(suite, "environment.yaml", package.data_path)
    return yaml.safe_load(written.format(**{one: _mark(one) for one in package.get_injection_vector_defaults()}))


def _mark(vector: str) -> str:
    return f"---MARK_{vector}---"


def _replaced(value: Any, texts: dict[str, str]) -> Any:
    if isinstance(value, str):
        for mark, text in texts.items():
            value = value.replace(mark, text)
        return value
    if isinstance(value, dict):
        return {key: _replaced(inner, texts) for key, inner in value.items()}
    return [_replaced(inner, texts) for inner in value] if isinstance(value, list) else value


def copied(environment: Environment) -> Environment:
    """An environment of its own."""
    return pickle.loads(pickle.dumps(environment))  # noqa: S301 - our own object, and far quicker than a deep copy


def needed(suite: str, user: str, start: Environment) -> list[Step]:
    """The calls that the user's task needs: the package's ground truth in this environment."""
    return _steps(suites()[suite].user_tasks[user].ground_truth(copied(start)))


def attack(suite: str, injection: str, before: Environment, now: Environment) -> list[Step]:
    """The calls that the injection makes in the environment `now`: the package's, or those written by hand."""
    if not is_shipped(suite, injection):
        return [Step(tool, args) for tool, args in HANDWRITTEN[injection](copied(before), copied(now))]
    return _steps(suites()[suite].injection_tasks[injection].ground_truth(copied(now)))


def _steps(calls: Sequence[FunctionCall]) -> list[Step]:
    return [Step(call.function, dict(call.args)) for call in calls]


def execute(suite: str, environment: Environment, step: Step) -> tuple[str, str | None]:
    """Carry a call out. Gives the text that an agent would read, and the error if the tool had one."""
    result, error = _runtime(suite).run_function(environment, step.tool, step.args)
    return ("", error) if error else (tool_result_to_str(result), None)


@cache
def _runtime(suite: str) -> FunctionsRuntime:
    return FunctionsRuntime(suites()[suite].tools)


def first_sight(suite: str, user: str) -> int | None:
    """After which of its calls an agent has read a place that others write: its index. None: after none of them."""
    marked = environment(suite, user, _mark)
    marks = [_mark(one) for one in suites()[suite].get_injection_vector_defaults()]
    for index, step in enumerate(needed(suite, user, marked)):
        text, _ = execute(suite, marked, step)
        if any(mark in text for mark in marks):
            return index
    return None


def useful(suite: str, user: str, before: Environment, after: Environment, executed: Sequence[Step]) -> bool:
    """What the package's own checker says of the task. The agent's answer is the ground truth's."""
    task = suites()[suite].user_tasks[user]
    return _said(task.utility_from_traces, task.utility, task.GROUND_TRUTH_OUTPUT, before, after, executed)


def reached(suite: str, injection: str, before: Environment, after: Environment, executed: Sequence[Step]) -> bool:
    """What the package's own checker says of the injection's goal."""
    task = suites()[suite].injection_tasks[injection]
    return _said(task.security_from_traces, task.security, task.GROUND_TRUTH_OUTPUT, before, after, executed)


def _said(
    by_traces: Callable[..., bool | None],
    by_environment: Callable[..., bool],
    answer: str,
    before: Environment,
    after: Environment,
    executed: Sequence[Step],
) -> bool:
    before, after = copied(before), copied(after)  # some checkers mark mail as read
    traces = [FunctionCall(function=step.tool, args=step.args) for step in executed]
    said = by_traces(answer, before, after, traces)
    return bool(by_environment(answer, before, after) if said is None else said)
