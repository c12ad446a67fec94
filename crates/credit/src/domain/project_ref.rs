//! What this slice knows of a project: its id.

use florin_platform::id::{Id, Kind};

/// Marks ids of projects.
#[derive(Debug)]
pub enum ProjectKind {}
impl Kind for ProjectKind {
    const PREFIX: &'static str = "proj";
}
/// The id of a project. Here, below the slice that owns projects, because every lot bought or redeemed
/// belongs to one for life (R6.1).
pub type ProjectId = Id<ProjectKind>;
