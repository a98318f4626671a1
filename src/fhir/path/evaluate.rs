//! From an [`Expr`] and an item to what it leads to: FHIRPath N1 §3 to §6.

use std::rc::Rc;

use smallvec::smallvec;

use super::context::{Context, EvaluationError, error};
use super::function::{Function, Lazy, OnCollection};
use super::syntax::{Call, Expr, Operation, Operator, Start, Step};
use super::types::TypeName;
use super::value::{Collection, Element, Value, one, text};
use super::{
    arithmetic, collection, convert, logic, navigate, numbers, relation, temporal, texts, tree,
};

type Outcome<'a> = Result<Collection<'a>, EvaluationError>;

/// An evaluation of one expression for one item, which is `%context`.
pub(super) struct Evaluation<'e, 'a> {
    context: &'e Context<'a>,
    origin: Option<&'e Value<'a>>,
}

/// What surrounds a part of an expression.
#[derive(Clone)]
struct Scope<'s, 'a> {
    /// `$this`
    focus: Option<&'s Value<'a>>,
    /// `$index`
    index: Option<usize>,
    /// `$total`
    total: Option<&'s Collection<'a>>,
    /// What `defineVariable` has defined.
    variables: Option<Rc<Variable<'a>>>,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// The same, about one item of a collection.
    fn inside<'t>(&self, item: &'t Value<'a>, index: usize) -> Scope<'t, 'a>
    where
        's: 't,
    {
        let variables = self.variables.clone();
        Scope { focus: Some(item), index: Some(index), total: self.total, variables }
    }
}

struct Variable<'a> {
    name: Box<str>,
    items: Collection<'a>,
    outer: Option<Rc<Variable<'a>>>,
}

impl<'e, 'a> Evaluation<'e, 'a> {
    pub(super) fn new(context: &'e Context<'a>, origin: Option<&'e Value<'a>>) -> Self {
        Self { context, origin }
    }

    pub(super) fn run(&self, expr: &Expr) -> Outcome<'a> {
        self.items(expr, &self.outermost())
    }

    /// The expression as a condition: true, false, or (`None`) no answer, FHIRPath's empty.
    pub(super) fn run_truth(&self, expr: &Expr) -> Result<Option<bool>, EvaluationError> {
        self.truth(expr, &self.outermost())
    }

    fn outermost(&self) -> Scope<'e, 'a> {
        Scope { focus: self.origin, index: None, total: None, variables: None }
    }

    fn items(&self, expr: &Expr, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        match expr {
            Expr::Path { start, steps } => self.path(start, steps, scope),
            Expr::Chain { first, rest } => {
                let mut left = self.items(first, scope)?;
                for operation in rest {
                    let outcome = self.operation(left, operation, scope);
                    left = outcome.map_err(|error| error.at(operation.at))?;
                }
                Ok(left)
            }
            Expr::Signed { operand, is_negative, at } => {
                let items = self.items(operand, scope)?;
                arithmetic::signed(items, *is_negative).map_err(|error| error.at(*at))
            }
        }
    }

    fn truth(&self, expr: &Expr, scope: &Scope<'_, 'a>) -> Result<Option<bool>, EvaluationError> {
        collection::truth(&self.items(expr, scope)?)
    }

    fn operation(
        &self,
        left: Collection<'a>,
        operation: &Operation,
        scope: &Scope<'_, 'a>,
    ) -> Outcome<'a> {
        let right = || self.items(&operation.operand, scope);
        let context = self.context;
        let truth = |truth: Option<bool>| Ok(one(truth.map(Value::Boolean)));
        match operation.operator {
            Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
                let left = collection::truth(&left)?;
                let right = || collection::truth(&right()?);
                truth(logic::combined(operation.operator, left, right)?)
            }
            Operator::Equal => truth(relation::equal(context, &left, &right()?)?),
            Operator::NotEqual => {
                truth(relation::equal(context, &left, &right()?)?.map(|equal| !equal))
            }
            Operator::Equivalent => truth(Some(relation::equivalent(context, &left, &right()?)?)),
            Operator::NotEquivalent => {
                truth(Some(!relation::equivalent(context, &left, &right()?)?))
            }
            Operator::Union => collection::union(context, left, right()?),
            Operator::In => collection::contains(context, &right()?, &left),
            Operator::Contains => collection::contains(context, &left, &right()?),
            operator => arithmetic::binary(context, operator, &left, &right()?),
        }
    }

    fn path(&self, start: &Start, steps: &[Step], scope: &Scope<'_, 'a>) -> Outcome<'a> {
        // The beginning of a path is looked at where it is.
        let (mut items, steps) = match (start, steps.split_first()) {
            (Start::Focus, Some((Step::Member(name), rest))) => {
                let mut items = Collection::new();
                if let Some(focus) = scope.focus {
                    navigate::member(focus, name, &mut items);
                }
                (items, rest)
            }
            _ => (self.start(start, scope)?, steps),
        };
        self.context.charge(items.len() + 1)?;
        let mut inner = None;
        for step in steps {
            let scope = inner.as_ref().unwrap_or(scope);
            if let Step::Call(call) = step
                && call.function == Function::Lazy(Lazy::DefineVariable)
            {
                let variables = self.defined(call, &items, scope);
                let variables = variables.map_err(|error| error.at(call.at))?;
                inner = Some(Scope { variables: Some(variables), ..scope.clone() });
                continue;
            }
            items = self.step(step, items, scope)?;
            self.context.charge_items(&items)?;
        }
        Ok(items)
    }

    fn start(&self, start: &Start, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        let focus = scope.focus;
        match start {
            Start::Focus => Ok(one(focus.cloned())),
            Start::Type(name, _) => {
                let is_it = |element: &Element<'a>| name.includes(element.kind());
                let focus = focus.and_then(|focus| focus.element()).copied().filter(is_it);
                let found = focus.or_else(|| self.context.resource().filter(is_it));
                Ok(one(found.map(Value::Element)))
            }
            Start::Literal(value) => Ok(smallvec![value.clone()]),
            Start::Nothing => Ok(Collection::new()),
            Start::Index => {
                let index = scope.index.and_then(|index| i32::try_from(index).ok());
                Ok(one(index.map(Value::Integer)))
            }
            Start::Total => Ok(scope.total.cloned().unwrap_or_default()),
            Start::Variable(name, at) => self.variable(name, scope).map_err(|error| error.at(*at)),
            Start::Group(group) => self.items(group, scope),
        }
    }

    /// FHIRPath N1 §9 and FHIR R4 §2.9.1.3.
    fn variable(&self, name: &str, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        let mut defined = scope.variables.as_deref();
        while let Some(variable) = defined {
            if *variable.name == *name {
                return Ok(variable.items.clone());
            }
            defined = variable.outer.as_deref();
        }
        if let Some(items) = self.context.variable(name) {
            return Ok(items.clone());
        }
        let element = |element: Option<Element<'a>>| Ok(one(element.map(Value::Element)));
        match name {
            "resource" => element(self.context.resource()),
            "rootResource" => element(self.context.root_resource()),
            "context" => Ok(one(self.origin.cloned())),
            "sct" => Ok(smallvec![text("http://snomed.info/sct")]),
            "loinc" => Ok(smallvec![text("http://loinc.org")]),
            "ucum" => Ok(smallvec![text(crate::fhir::ucum::SYSTEM)]),
            _ => {
                let definition = [("vs-", "ValueSet"), ("ext-", "StructureDefinition")]
                    .iter()
                    .find_map(|(beginning, kind)| Some((kind, name.strip_prefix(beginning)?)));
                let (kind, id) =
                    definition.ok_or_else(|| error(format!("there is no variable %{name}")))?;
                Ok(smallvec![text(format!("http://hl7.org/fhir/{kind}/{id}"))])
            }
        }
    }

    fn step(&self, step: &Step, mut items: Collection<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        match step {
            Step::Member(name) => {
                let mut out = Collection::new();
                for item in &items {
                    navigate::member(item, name, &mut out);
                }
                Ok(out)
            }
            Step::Item(index, at) => {
                let index = collection::integer(&self.items(index, scope)?, "an index")
                    .map_err(|error| error.at(*at))?;
                let index = index.and_then(|index| usize::try_from(index).ok());
                let found = index.filter(|index| *index < items.len());
                Ok(one(found.map(|index| items.swap_remove(index))))
            }
            Step::Is(name, at) => match collection::single(items, "is") {
                Ok(found) => {
                    let is = if self.context.is_filtering() { is_meant } else { is };
                    Ok(one(found.map(|item| Value::Boolean(is(&item, *name)))))
                }
                Err(error) => Err(error.at(*at)),
            },
            Step::ResolvesTo(name, at) => match collection::single(items, "is") {
                Ok(found) => {
                    let truth =
                        found.and_then(|item| tree::resolves_to(self.context, &item, *name));
                    Ok(one(truth.map(Value::Boolean)))
                }
                Err(error) => Err(error.at(*at)),
            },
            Step::As(name, _) if self.context.is_filtering() => {
                items.retain(|item| is_meant(item, *name));
                Ok(items)
            }
            Step::As(name, at) => match collection::single(items, "as") {
                Ok(found) => Ok(one(found.filter(|item| is_exactly(item, *name)))),
                Err(error) => Err(error.at(*at)),
            },
            Step::OfType(name) => {
                let is_kept = if self.context.is_filtering() { is_meant } else { is_exactly };
                items.retain(|item| is_kept(item, *name));
                Ok(items)
            }
            Step::Call(call) => self.call(call, items, scope).map_err(|error| error.at(call.at)),
        }
    }

    fn call(&self, call: &Call, items: Collection<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        let function = match call.function {
            Function::Lazy(function) => return self.lazy(function, call, items, scope),
            // The commonest, which take nothing.
            Function::Collection(OnCollection::Empty) => {
                return Ok(smallvec![Value::Boolean(items.is_empty())]);
            }
            function => function,
        };
        let mut arguments: [Collection<'a>; 2] = Default::default();
        for (expr, argument) in call.arguments.iter().zip(&mut arguments) {
            *argument = self.items(expr, scope)?;
        }
        let [first, second] = arguments;
        let context = self.context;
        match function {
            Function::Collection(function) => collection::call(context, function, items, first),
            Function::Text(function) => {
                let arguments: &[_] = match call.arguments.len() {
                    0 => &[],
                    1 => &[first],
                    _ => &[first, second],
                };
                texts::call(context, function, &items, arguments, call.pattern.as_ref())
            }
            Function::Number(function) => numbers::call(function, items, &first),
            Function::Moment(function) => temporal::call(context, function, items, &first),
            Function::To(target) => convert::to(target, items, &first),
            Function::ConvertsTo(target) => convert::converts_to(target, items, &first),
            Function::Tree(function) => tree::call(context, function, items, &first),
            Function::Lazy(_) => Ok(items),
        }
    }

    /// The functions whose arguments are evaluated for each item, or not at all.
    fn lazy(
        &self,
        function: Lazy,
        call: &Call,
        items: Collection<'a>,
        scope: &Scope<'_, 'a>,
    ) -> Outcome<'a> {
        let at = |index: usize| call.arguments.get(index);
        let Some(first) = at(0) else {
            return match function {
                Lazy::Exists => Ok(smallvec![Value::Boolean(!items.is_empty())]),
                Lazy::Sort => self.sorted(call, items, scope),
                _ => Ok(items),
            };
        };
        match function {
            Lazy::Where => {
                let mut kept = Collection::new();
                for (index, item) in items.into_iter().enumerate() {
                    if self.truth(first, &scope.inside(&item, index))? == Some(true) {
                        kept.push(item);
                    }
                }
                Ok(kept)
            }
            Lazy::Exists | Lazy::All => {
                // What is looked for: one that holds, or one that does not.
                let is_all = function == Lazy::All;
                for (index, item) in items.iter().enumerate() {
                    if (self.truth(first, &scope.inside(item, index))? == Some(true)) != is_all {
                        return Ok(smallvec![Value::Boolean(!is_all)]);
                    }
                }
                Ok(smallvec![Value::Boolean(is_all)])
            }
            Lazy::Select => self.selected(first, &items, scope),
            Lazy::Repeat => self.repeated(first, items, scope),
            Lazy::Aggregate => {
                let mut total = at(1).map(|initial| self.items(initial, scope)).transpose()?;
                for (index, item) in items.iter().enumerate() {
                    let scope = Scope { total: total.as_ref(), ..scope.inside(item, index) };
                    total = Some(self.items(first, &scope)?);
                }
                Ok(total.unwrap_or_default())
            }
            Lazy::Iif => {
                let item = collection::single(items, "iif")?;
                let inner = Scope { focus: item.as_ref().or(scope.focus), ..scope.clone() };
                let condition = self.items(first, &inner)?;
                let truth = match condition.as_slice() {
                    [] => false,
                    [item] => item.boolean().ok_or_else(|| {
                        let kind = item.type_name();
                        error(format!("the condition of iif is true or false, not a {kind}"))
                    })?,
                    _ => return Err(error("the condition of iif has more than one item")),
                };
                match at(if truth { 1 } else { 2 }) {
                    Some(chosen) => self.items(chosen, &inner),
                    None => Ok(Collection::new()),
                }
            }
            Lazy::Trace => {
                let name = collection::text(&self.items(first, scope)?, "the name of a trace")?;
                let shown = match at(1) {
                    Some(selected) => self.selected(selected, &items, scope)?,
                    None => items.clone(),
                };
                if let Some(name) = name {
                    self.context.trace(name, shown);
                }
                Ok(items)
            }
            Lazy::Sort => self.sorted(call, items, scope),
            Lazy::DefineVariable => Ok(items),
        }
    }

    /// What an expression leads to from each of the items.
    fn selected(&self, expr: &Expr, items: &[Value<'a>], scope: &Scope<'_, 'a>) -> Outcome<'a> {
        let mut out = Collection::new();
        for (index, item) in items.iter().enumerate() {
            let found = self.items(expr, &scope.inside(item, index))?;
            self.context.charge(found.len())?;
            out.extend(found);
        }
        Ok(out)
    }

    /// What an expression leads to, and what it leads to from there, each item once.
    fn repeated(&self, expr: &Expr, items: Collection<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        let mut found = collection::Distinct::default();
        let mut start = items;
        while !start.is_empty() {
            let known = found.items().len();
            for (index, item) in start.iter().enumerate() {
                let inner = scope.inside(item, index);
                for item in self.items(expr, &inner)? {
                    found.add(self.context, item)?;
                }
            }
            start = found.items().iter().skip(known).cloned().collect();
            self.context.charge_items(&start)?;
        }
        Ok(found.into_items())
    }

    /// By keys, each of which is in reverse if it has a minus in front.
    fn sorted(&self, call: &Call, items: Collection<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
        let keys: Vec<(&Expr, bool)> = call
            .arguments
            .iter()
            .map(|key| match key {
                Expr::Signed { operand, is_negative: true, .. } => (&**operand, true),
                key => (key, false),
            })
            .collect();
        let mut keyed = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let mut values = Vec::with_capacity(keys.len().max(1));
            for (key, is_reverse) in &keys {
                let inner = scope.inside(&item, index);
                let value = collection::single(self.items(key, &inner)?, "a key of sort")?;
                values.push((value, *is_reverse));
            }
            if keys.is_empty() {
                values.push((Some(item.clone()), false));
            }
            keyed.push((values, item));
        }
        collection::sort(self.context, keyed)
    }

    fn defined(
        &self,
        call: &Call,
        items: &Collection<'a>,
        scope: &Scope<'_, 'a>,
    ) -> Result<Rc<Variable<'a>>, EvaluationError> {
        let name = match call.arguments.first() {
            Some(name) => collection::text(&self.items(name, scope)?, "the name of a variable")?,
            None => None,
        };
        let name: Box<str> = name.ok_or_else(|| error("the variable has no name"))?[..].into();
        let is_known = self.variable(&name, scope).is_ok();
        if is_known {
            return Err(error(format!("the variable %{name} is defined already")));
        }
        let items = match call.arguments.get(1) {
            Some(value) if items.is_empty() => self.items(value, scope)?,
            Some(value) => {
                let mut found = Collection::new();
                for (index, item) in items.iter().enumerate() {
                    found.extend(self.items(value, &scope.inside(item, index))?);
                    self.context.charge_items(&found)?;
                }
                found
            }
            None => items.clone(),
        };
        Ok(Rc::new(Variable { name, items, outer: scope.variables.clone() }))
    }
}

/// True if the item has that type, or one that is specialized from it.
fn is(item: &Value<'_>, name: TypeName) -> bool {
    match item {
        Value::Element(element) => name.includes(element.kind()),
        other => name.includes_system(other.system()),
    }
}

/// The same, as the search parameters of R4 name types.
fn is_meant(item: &Value<'_>, name: TypeName) -> bool {
    match item {
        Value::Element(element) => name.means(element.kind()),
        other => name.includes_system(other.system()),
    }
}

/// The same as [`is`]; a primitive element must have that type itself.
fn is_exactly(item: &Value<'_>, name: TypeName) -> bool {
    match item {
        Value::Element(element) => name.includes_exactly(element.kind()),
        other => name.includes_system(other.system()),
    }
}
