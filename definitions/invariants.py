"""The invariants of every FHIR type: the constraints that its StructureDefinition states.

Called by generate.py, which says where the definitions come from.
"""

from elements import definitions, has_own_type


def invariants(resources):
    """Rows of invariants.tsv: each constraint once, at the type that states it. Where it is about one
    element that has no type of its own, that element is named too."""
    rows = []
    for definition in definitions(resources):
        types = {definition["type"]}
        types.update(element["path"] for element in definition["snapshot"]["element"] if has_own_type(element))
        for element in definition["differential"]["element"]:
            path = element["path"]
            kind, name = (path, "") if path in types else path.rsplit(".", 1)
            for constraint in element.get("constraint", []):
                texts = (constraint[column] for column in ("key", "severity", "expression", "human"))
                rows.append([kind, name, *(" ".join(text.split()) for text in texts)])
    return sorted(rows)
