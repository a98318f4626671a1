//! Shapes of members in the document of the API that no type of the source stands for.

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};

/// A resource of FHIR, whatever its type.
pub fn resource() -> RefOr<Schema> {
    Ref::from_schema_name("Resource").into()
}

/// A list of them.
pub fn resources() -> Schema {
    ArrayBuilder::new().items(resource()).build().into()
}

/// A resource, or its type and id.
pub fn resource_or_key() -> Schema {
    let key = Ref::from_schema_name("ResourceKey");
    OneOfBuilder::new().item(resource()).item(key).build().into()
}

/// A position of the log, or the place behind the last event.
pub fn position_or_head() -> Schema {
    let position = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let head = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["head"]));
    OneOfBuilder::new().item(position).item(head).build().into()
}
