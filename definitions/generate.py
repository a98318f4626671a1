#!/usr/bin/env python3
"""Writes the tables of FHIR R4 definitions that the server is built with.

The source is the official package of HL7 (CC0). Get it and run this script with:

    npm pack hl7.fhir.r4.examples@4.0.1
    tar -xzf hl7.fhir.r4.examples-4.0.1.tgz
    python3 definitions/generate.py package

Eight tables are written into src/fhir/definitions/, tab separated, with one header line:

    resource_types.tsv       every concrete resource type and its code
    search_parameters.tsv    what a search on a type may ask for
    compartments.tsv         which parameters put a resource into a compartment, such as a patient's chart
    elements.tsv             the elements of every type: cardinality, flags, types, value set
    codes.tsv                the closed value sets that elements are bound to
    case_sensitive.tsv       the code systems whose codes differ if their cases do
    invariants.tsv           what must hold of several elements together, in FHIRPath

The numbers in the first two are written into stores on disk. They are frozen: the script reads the tables that
are there, keeps every code, gives new names the next free one, and fails rather than drop a name.
Running it twice changes nothing.
"""

import json
import pathlib
import sys

from elements import codes as code_rows
from elements import elements as element_rows
from invariants import invariants as invariant_rows

# Examples of how to write a SearchParameter; not part of the standard's own set.
NOT_STANDARD = {"example", "example-extension", "example-reference"}

# What the server knows of every resource without looking into it.
APART = {"_id", "_lastUpdated"}

# The expressions of the two components are the wrong way round in the package: a code cannot be compared
# as a reference.
SWAPPED = {"http://hl7.org/fhir/SearchParameter/DocumentReference-relationship"}

# What the package does not hold, but R4 says in §3.1.1.4.10: the case of these counts.
CASE_SENSITIVE = {"http://unitsofmeasure.org"}

TABLES = pathlib.Path(__file__).resolve().parent.parent / "src" / "fhir" / "definitions"


def main(package):
    resources = [json.loads(path.read_bytes()) for path in sorted(package.glob("*-*.json"))]
    types = concrete_types(resources)
    parameters = search_parameters(resources, types)
    members = compartments(resources, parameters)

    codes = frozen_codes("resource_types.tsv", types)
    write(
        "resource_types.tsv",
        ["code", "type"],
        sorted([code, name] for name, code in codes.items()),
    )

    names = {name for _, name in parameters}
    codes = frozen_codes("search_parameters.tsv", names)
    columns = ["url", "search_type", "targets", "system", "components", "expression"]
    write(
        "search_parameters.tsv",
        ["code", "type", "parameter", *columns],
        [
            [codes[name], kind, name, *(parameters[kind, name][column] for column in columns)]
            for kind, name in sorted(parameters)
        ],
    )

    write(
        "compartments.tsv",
        ["compartment", "type", "parameters"],
        [[of, kind, " ".join(names)] for (of, kind), names in sorted(members.items())],
    )

    elements = element_rows(resources)
    write("elements.tsv", ["type", "element", "cardinality", "flags", "types", "codes"], elements)
    write("codes.tsv", ["set", "system", "codes"], code_rows(resources, elements))
    write("case_sensitive.tsv", ["system"], [[url] for url in case_sensitive(resources)])
    columns = ["type", "element", "key", "severity", "expression", "human"]
    write("invariants.tsv", columns, invariant_rows(resources))


def case_sensitive(resources):
    """The code systems that say so of themselves."""
    systems = of_type(resources, "CodeSystem")
    return sorted(CASE_SENSITIVE | {system["url"] for system in systems if system.get("caseSensitive")})


def concrete_types(resources):
    """Names of all resource types that a resource can have."""
    return {
        definition["type"]
        for definition in of_type(resources, "StructureDefinition")
        if definition["kind"] == "resource"
        and definition.get("derivation") == "specialization"
        and not definition["abstract"]
    }


def compartments(resources, parameters):
    """(compartment, type) → parameter names, in the order of the CompartmentDefinition.

    Outside the patient compartment, names that no search parameter has are left out: `{def}`, for the
    resource that gives the compartment its name, and those that R4 has forgotten to define.
    """
    found = {}
    for definition in of_type(resources, "CompartmentDefinition"):
        if not definition["url"].startswith("http://hl7.org/fhir/CompartmentDefinition/"):
            continue
        if definition["id"] == "example":
            continue
        for member in definition["resource"]:
            kind, names = member["code"], member.get("param", [])
            known = [name for name in names if (kind, name) in parameters]
            if definition["code"] == "Patient" and known != names:
                raise SystemExit(f"the patient compartment names {kind}.{names}, not all of it is defined")
            if known:
                found[definition["code"], kind] = known
    return found


def search_parameters(resources, types):
    """(type, name) → column → cell."""
    definitions = {
        parameter["url"]: parameter
        for parameter in of_type(resources, "SearchParameter")
        if parameter["id"] not in NOT_STANDARD and "expression" in parameter and "base" in parameter
        and parameter["code"] not in APART
    }
    elements = Elements(resources)
    # Parameters are not stored, so that only some lists name them.
    everything = types - {"Parameters"}
    found = {}
    for url, parameter in definitions.items():
        name = parameter["code"]
        bases = types if parameter["base"] == ["Resource"] else parameter["base"]
        for kind in bases:
            if (kind, name) in found:
                raise SystemExit(f"{kind}.{name} is defined twice")
            expression = restricted(parameter["expression"], kind)
            targets = parameter.get("target", [])
            # A few say nothing of it, as where the element is a canonical.
            leads_anywhere = everything <= set(targets) or parameter["type"] == "reference" and not targets
            found[kind, name] = {
                "url": url,
                "search_type": parameter["type"],
                "targets": "*" if leads_anywhere else " ".join(sorted(targets)),
                "system": elements.system(expression) if parameter["type"] == "token" else "",
                "components": components(parameter, definitions),
                "expression": expression,
            }
    return found


def components(parameter, definitions):
    """`name=expression` of each component of a composite, separated by semicolons."""
    names = [
        definitions[component["definition"]]["code"] for component in parameter.get("component", [])
    ]
    expressions = [component["expression"] for component in parameter.get("component", [])]
    if parameter["url"] in SWAPPED:
        expressions.reverse()
    return ";".join(f"{name}={expression}" for name, expression in zip(names, expressions))


class Elements:
    """Which code system the elements that an expression leads to take their codes from."""

    def __init__(self, resources):
        self.elements = {}
        for definition in of_type(resources, "StructureDefinition"):
            if definition.get("derivation") == "specialization":
                for element in definition["snapshot"]["element"]:
                    self.elements[element["path"]] = element
        self.value_sets = {
            value_set["url"]: value_set for value_set in of_type(resources, "ValueSet") if "url" in value_set
        }

    def system(self, expression):
        """The system of the codes, if all alternatives lead to codes of one and the same system."""
        systems = {self.system_of_path(path.strip("() ")) for path in split_alternatives(expression)}
        return systems.pop() if len(systems) == 1 else ""

    def system_of_path(self, path):
        first, *names = path.split(".")
        element = None
        for name in names:
            element = self.elements.get(f"{first}.{name}")
            if element is None:
                return ""
            if "contentReference" in element:
                first = element["contentReference"].removeprefix("#")
                continue
            types = [kind["code"] for kind in element.get("type", [])]
            if len(types) != 1:
                return ""
            is_inner = types[0] in ("BackboneElement", "Element")
            first = element["path"] if is_inner else types[0]
        if element is None or first != "code":
            return ""
        binding = element.get("binding", {})
        if binding.get("strength") != "required":
            return ""
        value_set = self.value_sets.get(binding.get("valueSet", "").split("|")[0], {})
        include = value_set.get("compose", {}).get("include", [])
        systems = {part.get("system") for part in include}
        return (systems.pop() or "") if len(systems) == 1 else ""


def restricted(expression, kind):
    """The alternatives of an expression that start at the given type, or at no type."""

    def fits(alternative):
        start = alternative.lstrip("(").split(".")[0]
        return start in (kind, "Resource", "DomainResource") or start[0].islower()

    alternatives = [part for part in split_alternatives(expression) if fits(part)]
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
