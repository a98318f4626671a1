//! What the caller should know of a page: FHIR R4 §3.1.1.3 (`search.mode` outcome).

use super::{RecordsError, Resource, Search};
use crate::fhir::search::{Chain, Criterion, Scope, Target, targets_of};
use crate::json::{Document, Node};
use crate::records::error::unreadable;

impl Search<'_> {
    /// One sentence for each chain that was followed over a reference to one version: the chain leads to the
    /// resource as it is at the moment of the search.
    pub(super) fn warnings(&self, matches: &[Resource]) -> Result<Vec<String>, RecordsError> {
        let mut warnings = Vec::new();
        for (kind, query) in &self.request.queries {
            let chains = query.criteria.iter().filter_map(|criterion| match criterion {
                Criterion::Chain(chain) => Some(chain),
                _ => None,
            });
            let mut chains: Vec<&Chain> = chains.collect();
            for resource in matches.iter().filter(|resource| resource.key.kind == *kind) {
                if chains.is_empty() {
                    break;
                }
                let document = Document::parse(&*resource.body).map_err(|_| unreadable())?;
                chains.retain(|chain| match self.versioned(chain, document.root()) {
                    Some(target) => {
                        let (key, name) = (&resource.key, &chain.parameter.name);
                        warnings.push(format!(
                            "{name} of {key} refers to {target}; the chain was followed to the \
                             current version"
                        ));
                        false
                    }
                    None => true,
                });
            }
        }
        Ok(warnings)
    }

    /// The version to which a reference leads over which a chain goes.
    fn versioned(&self, chain: &Chain, resource: Node<'_>) -> Option<String> {
        let targets = targets_of(&chain.parameter, Scope::of(resource), self.context.base_url);
        targets.into_iter().find_map(|target| match target {
            Target::Resource(key, Some(version)) => Some(format!("{key}/_history/{version}")),
            _ => None,
        })
    }
}
