"""The sample policies: each is a folder with a policy and its tests, which `policy test` runs."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.authoring import trial
from gateway.authoring.suite import Tests, read_tests
from gateway.policy import Policy, load

FOLDER: Final = Path(__file__).resolve().parent.parent / "sample_policies"


@dataclass(frozen=True, slots=True)
class Sample:
    """One folder of sample policies, read."""

    name: str
    policy: Policy
    tests: Tests


def names() -> list[str]:
    return sorted(policy.parent.name for policy in FOLDER.glob("*/policy.json"))


def read(name: str) -> Sample:
    folder = FOLDER / name
    policy = load((folder / "policy.json").read_bytes(), name=f"{name}/policy.json")
    return Sample(name, policy, read_tests((folder / "tests.json").read_bytes(), name=f"{name}/tests.json"))


def run(sample: Sample) -> trial.Outcome:
    """What comes of all tests of a sample."""
    return asyncio.run(trial.run(sample.policy, sample.tests))
