"""`scim-operator crds`: the CustomResourceDefinitions of this version."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import orjson
import yaml

from scim_operator.api.crds import crds


def add(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser("crds", help="print the CustomResourceDefinitions, or write them as files")
    parser.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="one YAML file each into this folder")
    parser.set_defaults(command=_crds)


def _crds(arguments: argparse.Namespace) -> int:
    if arguments.write:
        for name, crd in crds().items():
            (arguments.write / name).write_text(as_yaml(crd))
    elif arguments.output == "json":
        listed = {"apiVersion": "v1", "kind": "List", "items": list(crds().values())}
        print(orjson.dumps(listed, option=orjson.OPT_INDENT_2).decode())
    else:
        print("---\n".join(as_yaml(crd) for crd in crds().values()), end="")
    return 0


def as_yaml(crd: dict[str, Any]) -> str:
    """As the files in `crds/` hold it."""
    text: str = yaml.safe_dump(crd, sort_keys=False, width=110)
    return text
