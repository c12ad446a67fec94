//! Service tokens: only their digests.

use florin_platform::{
    call::Role,
    column::{At, CorruptRow},
    db::{Tx, sql},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

/// The service behind a token that was not revoked.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    token_digest: Vec<u8>,
) -> Result<Option<(String, Vec<Role>)>, DbErr> {
    let text = "SELECT name, roles FROM service_token WHERE token_digest = $1 AND revoked_at IS NULL";
    let Some(row) = connection.query_one_raw(sql(connection, text, [token_digest.into()])).await? else {
        return Ok(None);
    };
    let stored: String = row.try_get_by_index(1)?;
    Ok(Some((row.try_get_by_index(0)?, roles(&stored)?)))
}

fn roles(stored: &str) -> Result<Vec<Role>, CorruptRow> {
    let names = stored.split(',').filter(|name| !name.is_empty());
    names.map(|name| Role::parse(name).ok_or_else(|| unknown(name))).collect()
}

fn unknown(role: &str) -> CorruptRow {
    CorruptRow::new("service_token", format!("unknown role {role}"))
}

/// Registers a token; registering it again gives it the roles of this time. A revoked one stays revoked.
pub(crate) async fn register(
    tx: &Tx,
    token_digest: Vec<u8>,
    name: &str,
    roles: &[Role],
    at: Instant,
) -> Result<(), DbErr> {
    let roles = roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",");
    let text = "INSERT INTO service_token (token_digest, name, roles, created_at) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (token_digest) DO UPDATE SET roles = excluded.roles \
                WHERE service_token.roles <> excluded.roles";
    let values = [token_digest.into(), name.into(), roles.into(), At::from(at).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_stored_role_is_a_corrupt_row() {
        assert_eq!(roles("").expect("no role"), []);
        assert_eq!(roles("OPERATOR,FINANCE").expect("roles"), [Role::Operator, Role::Finance]);
        assert!(roles("OPERATOR,JANITOR").is_err());
    }
}
