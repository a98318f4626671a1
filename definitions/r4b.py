#!/usr/bin/env python3
"""Writes the table of what FHIR R4B (4.3.0) has and R4 has not, by which a refusal can say where an element comes from.

The source is the official package of HL7 (CC0). Get it and run this script behind generate.py with:

    npm pack hl7.fhir.r4b.core@4.3.0
    tar -xzf hl7.fhir.r4b.core-4.3.0.tgz
    python3 definitions/r4b.py package

It writes src/fhir/definitions/r4b.tsv, tab separated, with one header line: a type, such as EvidenceVariable or
EvidenceVariable.characteristic, and the names that its new elements have in JSON. A resource type without names is new itself.
"""

import json
import pathlib
import sys

from elements import elements

TABLES = pathlib.Path(__file__).resolve().parent.parent / "src" / "fhir" / "definitions"


def main(package):
    resources = [json.loads(path.read_bytes()) for path in sorted(package.glob("*-*.json"))]
    old = members(line.split("\t") for line in (TABLES / "elements.tsv").read_text().splitlines()[1:])
    new = members(elements(resources))
    kinds = {
        definition["type"]
        for definition in resources
        if definition.get("resourceType") == "StructureDefinition"
        and definition["kind"] == "resource"
        and definition.get("derivation") == "specialization"
        and not definition["abstract"]
    }
    rows = [["type", "elements"]]
    for name, names in sorted(new.items()):
        if name in old:
            added = sorted(names - old[name])
            if added:
                rows.append([name, " ".join(added)])
        elif name in kinds:
            rows.append([name, ""])
    (TABLES / "r4b.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))


def members(rows):
    """Type → names that its own elements have in JSON."""
    found = {}
    for name, element, _, _, types, _ in rows:
        if name:
            names = found.setdefault(name, set())
        elif element.endswith("[x]"):
            kinds = (kind.partition("(")[0] for kind in types.split("|"))
            names.update(element[:-3] + kind[0].upper() + kind[1:] for kind in kinds)
        else:
            names.add(element)
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} PACKAGE_FOLDER")
    main(pathlib.Path(sys.argv[1]))
