"""Whatever a policy can say, and whatever a decision can give as its reason, is described."""

from typing import get_args

from gateway.authoring import glossary
from gateway.policy.decision import Reason
from gateway.policy.operators import OPERATORS
from gateway.policy.paths import FACTS


def test_every_operator_fact_and_reason_has_its_words_in_the_order_of_the_code() -> None:
    assert list(glossary.OPERATORS) == list(OPERATORS)
    assert list(glossary.FACTS) == list(FACTS)
    assert list(glossary.REASONS) == list(get_args(Reason))
    words = [*glossary.OPERATORS.values(), *glossary.FACTS.values(), *(each[1] for each in glossary.REASONS.values())]
    assert all(text and not text.endswith(".") for text in words)
