use crate::{clock::Clock, db::Db, secret::ServerKey};

/// What every service is built on: the database, the clock and the server key.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Where everything is kept.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// What secrets are derived from.
    pub key: ServerKey,
}
