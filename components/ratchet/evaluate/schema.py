"""The JSON schema of `profile.json`, for readers in other languages: generated from the dataclasses that write it.

`python -m ratchet.evaluate.schema` writes it (`make golden` does); a test fails where it is out of date.
"""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ratchet.evaluate.profile import Profile
from ratchet.storage import write_json

SCHEMA_FILE = Path(__file__).with_name("profile.schema.json")
_LEFT_OUT = "Problems that have no value"
_REASON = "Why there is no number; null where there is one"
MEANINGS = {  # record -> field -> what it holds
    "Profile": {
        "name": "What the profile is called in reports",
        "checkpoint": "Digest of weights, tokenizer and configuration; null where the attempts don't say",
        "sampling": "How the attempts were drawn; null where they don't say",
        "suites": "How much evidence each suite holds, by the suite's name",
        "metrics": "Every metric of every suite",
        "attempts_digest": "SHA-256 of the attempts.parquet beside this file",
        "confidence_level": "Level of all intervals",
        "confidence": "Where the attempts' confidences come from; null where the attempts don't say",
        "isolation": "Weakest level at which any program was run, none where there was none; null where unknown",
        "served": "Whose weights drew the attempts; null where the attempts don't say",
        "embedding_model": "Digest of the sentence-embedding model; null where none was used",
        "reliability": "The bins of each suite's reliability diagram, by the suite's name",
        "suggestions": "The method that each suite's coverage of correct answers suggests, by the suite's name",
        "base": "The profile that this one was compared with",
        "history": "The earlier checkpoints, oldest first",
        "version": "Version of this format",
    },
    "Metric": {
        "suite": "The suite's name",
        "name": "The metric's name, such as pass@16 or pass@1[group=3]",
        "estimate": "The number; null where it can't be computed",
        "low": "Lower end of its interval; null where there is none",
        "high": "Upper end of its interval; null where there is none or it is out of sight",
        "numerator": "What the estimate is the ratio of: for an average the sum of the problems' values",
        "denominator": "What the estimate is a ratio to: for an average the number of problems that have a value",
        "ungradable": "Attempts at these problems whose gold answer can't be read; in no denominator",
        "errors": "Attempts at these problems at which the machinery failed; in no denominator",
        "left_out": _LEFT_OUT,
        "reason": _REASON,
    },
    "Served": {
        "backend": "What drew them: transformers, vllm or openai (a server)",
        "weights": "Digest of the checkpoint that was to answer",
        "tokens": "SHA-256 of the tokens of the fixed texts",
        "logprobs": "The fingerprint: the log-probability of each of those tokens but a text's first",
        "precision": "Of the arithmetic that the fingerprint was computed in; null where a server doesn't say",
        "distance": "Mean difference a token from the checkpoint's own fingerprint; null where nothing was compared",
        "at_most": "The difference that one model may have; null where nothing was compared",
    },
    "SuiteCounts": {
        "problems": "Problems",
        "attempts": "Attempts, whatever came of them",
        "fewest_attempts": "Attempts of the problem that has fewest",
        "correct": "Correct attempts",
        "incorrect": "Incorrect attempts",
        "ungradable": "Attempts whose gold answer can't be read",
        "errors": "Attempts at which the machinery failed",
    },
    "Relative": {
        "name": "What that profile is called",
        "checkpoint": "Digest of its checkpoint; null where unknown",
        "profile_digest": "SHA-256 of its profile.json",
        "metrics": "What a chart over rounds shows: estimate, low and high by suite/metric",
    },
    "Bin": {
        "low": "Lower edge, not in the bin (0 is in the first)",
        "high": "Upper edge, in the bin",
        "attempts": "Attempts in the bin",
        "problems": "Problems that have an attempt in the bin",
        "confidence": "Mean confidence, each problem weighing the same; null in an empty bin",
        "accuracy": "Share of right attempts, weighted likewise",
    },
    "Estimate": {
        "value": "The number; null where it can't be computed",
        "low": "Lower end of its interval; null where there is none",
        "high": "Upper end of its interval; null where there is none",
        "numerator": "What the value is the ratio of",
        "denominator": "What the value is a ratio to",
        "left_out": _LEFT_OUT,
        "reason": _REASON,
    },
    "Suggestion": {
        "method": "The method that is suggested",
        "coverage": "The coverage of correct answers",
        "sure": "Whether the coverage's interval lies on one side of the rule's threshold",
    },
}


def schema() -> dict[str, Any]:
    """The schema, in JSON Schema 2020-12: every field with its meaning, unknown ones not allowed."""
    found = TypeAdapter(Profile).json_schema()
    records = {"Profile": found} | found["$defs"]
    for record, fields in records.items():
        if "properties" not in fields:
            continue
        fields["additionalProperties"] = False
        for name, property_ in fields["properties"].items():
            property_.pop("title", None)
            property_["description"] = MEANINGS[record][name]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Capability profile (profile.json)"}
    return head | {key: value for key, value in found.items() if key != "title"}


if __name__ == "__main__":
    write_json(SCHEMA_FILE, schema())
