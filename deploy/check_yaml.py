"""Reads all YAML and JSON under deploy/; a key that stands twice in a mapping is an error, which most readers do not tell."""
import json
import pathlib
import sys

import yaml

MERGE = "tag:yaml.org,2002:merge"


class Strict(yaml.SafeLoader):
    def flatten_mapping(self, node):
        keys = [key.value for key, _ in node.value if key.tag != MERGE]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"stands twice: {', '.join(twice)}", node.start_mark)
        super().flatten_mapping(node)


problems = 0
folder = pathlib.Path(__file__).parent
for path in sorted(p for p in folder.rglob("*") if p.suffix in (".yml", ".yaml", ".json")):
    if {"data", "secrets", "corpus"} & set(path.relative_to(folder).parts):
        continue
    try:
        with path.open() as file:
            if path.suffix == ".json":
                json.load(file)
            else:
                list(yaml.load_all(file, Loader=Strict))
    except (yaml.YAMLError, ValueError) as error:
        print(f"{path}: {error}")
        problems += 1
sys.exit(1 if problems else 0)
