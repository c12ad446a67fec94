//! Adding and removing resources: one call each, with effect at once (R5.2).

use florin_api::event::v1 as fact;
use florin_credit::ProjectId;
use florin_platform::{audit, call::Call, db::Tx, etag, id::AccountId, outbox, wire::decimal};
use florin_settlement::{Instant, Quantity};

use super::{catalogue, query};
use crate::{
    domain::{
        project::ProjectState,
        resource::{NewResource, Resource, ResourceId},
    },
    error::Error,
    store,
};
