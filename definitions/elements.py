"""The elements of every FHIR type, and the closed value sets that some of them are bound to.

Called by generate.py, which says where the definitions come from.
"""

# What StructureDefinitions write where they mean a type of FHIR: the ids of resources and elements,
# and the url of an extension.
SYSTEM_STRING = "http://hl7.org/fhirpath/System.String"

# Types to which an official example refers, though the definition of the element does not name them.
SHOWN = {
    "DeviceMetric.parent": ["DeviceDefinition"],
    "DeviceUseStatement.reasonReference": ["Procedure"],
    "MedicationRequest.dispenseRequest.performer": ["Practitioner"],
    "Observation.performer": ["Encounter"],
}

# More codes than this are a terminology, not a closed value set.
CODES_MAX = 1000


def elements(resources):
    """Rows of elements.tsv: a row that names a type and its base, then a row for each element that
    the type adds to its base, in the order of the definition."""
    sets = code_sets(resources)
    types = {}
    for definition in definitions(resources):
        types.update(types_of(definition, sets))
    for name, (base, own) in types.items():
        inherited = inherited_elements(types, base)
        for element in own:
            if inherited.get(element[0], element) != element:
                raise SystemExit(f"{name}.{element[0]} differs from its base")
        types[name] = base, [element for element in own if element[0] not in inherited]
    rows = []
    for name, (base, own) in sorted(types.items()):
        rows.append([name, "", "", "", base, ""])
        rows.extend(["", *element] for element in own)
    return rows


def inherited_elements(types, base):
    """Name → row of all elements of a base and of its own bases."""
    found = {}
    while base:
        base, own = types[base]
        found.update({element[0]: element for element in own if element[0] not in found})
    return found


def definitions(resources):
    """The definitions of resource types and data types, without profiles and primitives."""
    return [
        resource
        for resource in resources
        if resource.get("resourceType") == "StructureDefinition"
        and resource["kind"] in ("resource", "complex-type")
        and resource.get("derivation") != "constraint"
    ]


def types_of(definition, sets):
    """Name → (base, rows of elements) of a type and of the types of its backbone elements."""
    base = definition.get("baseDefinition", "").rpartition("/")[2]
    types = {definition["type"]: (base, [])}
    for element in definition["snapshot"]["element"][1:]:
        parent, _, name = element["path"].rpartition(".")
        if has_own_type(element):
            types[element["path"]] = element["type"][0]["code"], []
        names = type_names(element, is_resource=definition["kind"] == "resource")
        flags = "S" * element.get("isSummary", False) + "M" * element.get("isModifier", False)
        cardinality = f"{element['min']}..{element['max']}"
        types[parent][1].append([name, cardinality, flags, names, code_set(element, sets)])
    return types


def has_own_type(element):
    """True for the elements whose own elements follow in the definition."""
    return [kind["code"] for kind in element.get("type", [])] in (["BackboneElement"], ["Element"])


def type_names(element, is_resource):
    if "contentReference" in element:
        return element["contentReference"].removeprefix("#")
    if has_own_type(element):
        return element["path"]
    if [kind["code"] for kind in element["type"]] == [SYSTEM_STRING]:
        parent, _, name = element["path"].rpartition(".")
        if name == "id":
            return "id" if is_resource and "." not in parent else "string"
        return "uri"
    shown = SHOWN.get(element["path"], [])
    return "|".join(type_name(kind, shown) for kind in element["type"])


def type_name(kind, shown):
    """The type; of a reference with the types to which it leads, those that are only shown with a `?`."""
    targets = sorted(target.rpartition("/")[2] for target in kind.get("targetProfile", []))
    if kind["code"] == "Reference" and targets not in ([], ["Resource"]):
        return f"Reference({' '.join([*targets, *(f'?{name}' for name in shown)])})"
    return kind["code"]


def code_set(element, sets):
    """The name of the closed value set that the element's codes must be from, if there is one."""
    binding = element.get("binding", {})
    name = set_name(binding.get("valueSet", ""))
    return name if binding.get("strength") == "required" and name in sets else ""


def set_name(url):
    return url.partition("|")[0].rpartition("/")[2]


def codes(resources, element_rows):
    """Rows of codes.tsv: value set, code system, codes; for the value sets that elements name."""
    sets = code_sets(resources)
    named = {row[-1] for row in element_rows if row[-1]}
    return [
        [name, system, " ".join(codes)]
        for name in sorted(named)
        for system, codes in sets[name].items()
    ]


def code_sets(resources):
    """Name → {system: codes} of the value sets of which the package holds every code."""
    systems = {
        resource["url"]: system_codes(resource.get("concept", []))
        for resource in resources
        if resource.get("resourceType") == "CodeSystem" and resource["content"] == "complete"
    }
    sets = {}
    for resource in resources:
        if resource.get("resourceType") == "ValueSet":
            found = expanded(resource.get("compose", {}), systems)
            if found and sum(map(len, found.values())) <= CODES_MAX:
                sets[set_name(resource["url"])] = found
    return sets


def expanded(compose, systems):
    """System → codes; None for a value set that other sets, filters or unknown systems define."""
    found = {}
    for include in compose.get("include", []):
        system = include.get("system")
        if "filter" in include or "valueSet" in include or "exclude" in compose:
            return None
        listed = [concept["code"] for concept in include.get("concept", [])]
        codes = listed or systems.get(system)
        if not codes:
            return None
        if any(" " in code for code in codes):
            return None
        found.setdefault(system, []).extend(codes)
    return found


def system_codes(concepts):
    """The codes of a hierarchy of concepts, without those that only group others."""
    found = []
    for concept in concepts:
        if not is_abstract(concept):
            found.append(concept["code"])
        found.extend(system_codes(concept.get("concept", [])))
    return found


def is_abstract(concept):
    return any(
        prop["code"] in ("notSelectable", "abstract") and prop.get("valueBoolean")
        for prop in concept.get("property", [])
    )
