#!/usr/bin/env python3
"""Writes the tables of FHIR R4 definitions that the server is built with.

The source is the official package of HL7 (CC0). Get it and run this script with:

    npm pack hl7.fhir.r4.examples@4.0.1
    tar -xzf hl7.fhir.r4.examples-4.0.1.tgz
    python3 definitions/generate.py package

Five tables are written into src/fhir/definitions/, tab separated, with one header line:

    resource_types.tsv       every concrete resource type and its code
    search_parameters.tsv    what a search on a type may ask for
    patient_compartment.tsv  which parameters put a resource into a patient's chart
    elements.tsv             the elements of every type: cardinality, flags, types, value set
    codes.tsv                the closed value sets that elements are bound to

The numbers in the first two are written into stores on disk. They are frozen: the script reads the tables that
are there, keeps every code, gives new names the next free one, and fails rather than drop a name.
Running it twice changes nothing.
"""

import json
import pathlib
import sys

from elements import codes as code_rows
from elements import elements as element_rows

# Parameters to index for every type that has them, beside those that the patient compartment names.
PARAMETERS = {"identifier", "patient", "subject"}

# Examples of how to write a SearchParameter; not part of the standard's own set.
NOT_STANDARD = {"example", "example-extension", "example-reference"}

TABLES = pathlib.Path(__file__).resolve().parent.parent / "src" / "fhir" / "definitions"


def main(package):
    resources = [json.loads(path.read_bytes()) for path in sorted(package.glob("*-*.json"))]
    types = concrete_types(resources)
    compartment = patient_compartment(resources)
    parameters = search_parameters(resources, types, compartment)

    codes = frozen_codes("resource_types.tsv", types)
    write(
        "resource_types.tsv",
        ["code", "type"],
        sorted([code, name] for name, code in codes.items()),
    )

    names = {name for _, name in parameters}
    codes = frozen_codes("search_parameters.tsv", names)
    write(
        "search_parameters.tsv",
        ["code", "type", "parameter", "search_type", "targets", "expression"],
        [
            [codes[name], kind, name, *parameters[kind, name]]
            for kind, name in sorted(parameters)
        ],
    )

    write(
        "patient_compartment.tsv",
        ["type", "parameters"],
        [[kind, " ".join(names)] for kind, names in sorted(compartment.items())],
    )

    elements = element_rows(resources)
    write("elements.tsv", ["type", "element", "cardinality", "flags", "types", "codes"], elements)
    write("codes.tsv", ["set", "system", "codes"], code_rows(resources, elements))


def concrete_types(resources):
    """Names of all resource types that a resource can have."""
    return {
        definition["type"]
        for definition in of_type(resources, "StructureDefinition")
        if definition["kind"] == "resource"
        and definition.get("derivation") == "specialization"
        and not definition["abstract"]
    }


def patient_compartment(resources):
    """Type → parameter names, in the order of the CompartmentDefinition."""
    (definition,) = (
        compartment
        for compartment in of_type(resources, "CompartmentDefinition")
        if compartment["url"] == "http://hl7.org/fhir/CompartmentDefinition/patient"
    )
    return {
        member["code"]: member["param"] for member in definition["resource"] if member.get("param")
    }


def search_parameters(resources, types, compartment):
    """(type, name) → (search type, target types, expression)."""
    found = {}
    for parameter in of_type(resources, "SearchParameter"):
        if parameter["id"] in NOT_STANDARD or "expression" not in parameter:
            continue
        name = parameter["code"]
        for kind in parameter.get("base", []):
            if name not in PARAMETERS and name not in compartment.get(kind, []):
                continue
            if (kind, name) in found:
                raise SystemExit(f"{kind}.{name} is defined twice")
            expression = restricted(parameter["expression"], kind)
            targets = parameter.get("target", [])
            targets = "*" if types <= set(targets) else " ".join(sorted(targets))
            found[kind, name] = parameter["type"], targets, expression
    for kind, names in compartment.items():
        for name in names:
            if (kind, name) not in found:
                raise SystemExit(f"the patient compartment names {kind}.{name}, which is not defined")
    return found


def restricted(expression, kind):
    """The alternatives of an expression that start at the given type."""
    alternatives = [
        alternative
        for alternative in split_alternatives(expression)
        if alternative.lstrip("(").startswith((f"{kind}.", "Resource.", "DomainResource."))
    ]
    if not alternatives:
        raise SystemExit(f"no alternative for {kind} in: {expression}")
    return " | ".join(alternatives)


def split_alternatives(expression):
    """Splits at each `|` outside of parentheses and quotes."""
    alternatives, depth, quoted = [""], 0, False
    for character in expression:
        if character == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0 and not quoted:
            alternatives.append("")
        else:
            alternatives[-1] += character
    return [alternative.strip() for alternative in alternatives]


def of_type(resources, kind):
    return (resource for resource in resources if resource.get("resourceType") == kind)


def frozen_codes(table, names):
    """Name → code: those of the table as it is, then the next free ones in alphabetical order."""
    codes = {}
    path = TABLES / table
    if path.exists():
        header, *rows = (line.split("\t") for line in path.read_text().splitlines())
        # The name is the last column of the types, and stands under "parameter" among parameters.
        column = header.index("parameter") if "parameter" in header else header.index("type")
        codes = {row[column]: int(row[0]) for row in rows}
    dropped = sorted(codes.keys() - names)
    if dropped:
        raise SystemExit(f"{table} would lose {', '.join(dropped)}: stores hold their codes")
    for name in sorted(names - codes.keys()):
        codes[name] = max(codes.values(), default=0) + 1
    return codes


def write(table, header, rows):
    lines = ["\t".join(map(str, row)) for row in [header, *rows]]
    TABLES.mkdir(parents=True, exist_ok=True)
    (TABLES / table).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} PACKAGE_FOLDER")
    main(pathlib.Path(sys.argv[1]))
