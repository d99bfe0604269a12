from gateway.policy.document import Document, keys
from gateway.policy.operators import OPERATORS


def test_the_json_schema_derives_from_the_models() -> None:
    schema = Document.model_json_schema()
    assert schema["required"] == ["version", "default"]
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(keys(Document))
    condition = schema["$defs"]["Condition"]["properties"]
    assert condition["op"] == {"enum": list(OPERATORS), "title": "Op", "type": "string"}
    assert schema["$defs"]["Limit"]["properties"]["max"] == {"exclusiveMinimum": 0, "title": "Max", "type": "number"}
