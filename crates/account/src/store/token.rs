//! Service tokens: only their digests.

use std::collections::{BTreeSet, HashMap};

use florin_platform::{
    call::Role,
    column::{At, CorruptRow},
    db::{Kept, Question, Tx, sql},
};
use florin_settlement::Instant;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr,
    sqlx::{self, AssertSqlSafe},
};

/// The services behind those of `digests` that belong to a token and were not revoked, in one query.
pub(crate) async fn find_many(
    kept: &Kept,
    digests: &[Vec<u8>],
) -> Result<HashMap<Vec<u8>, (String, Vec<Role>)>, DbErr> {
    const LIVE: &str =
        "SELECT token_digest, name, roles FROM service_token WHERE revoked_at IS NULL AND token_digest";
    let wanted: BTreeSet<&[u8]> = digests.iter().map(Vec::as_slice).collect();
    let question = if kept.backend() == DbBackend::Postgres {
        let text = AssertSqlSafe(format!("{LIVE} = ANY($1)"));
        Question::Postgres(sqlx::query(text).bind(wanted.into_iter().collect::<Vec<_>>()))
    } else {
        let places = (1..=wanted.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let query = sqlx::query(AssertSqlSafe(format!("{LIVE} IN ({places})")));
        Question::Sqlite(wanted.into_iter().fold(query, |query, digest| query.bind(digest.to_vec())))
    };
    let mut found = HashMap::new();
    for row in kept.rows(question).await? {
        let stored: String = row.try_get_by_index(2)?;
        found.insert(row.try_get_by_index(0)?, (row.try_get_by_index(1)?, roles(&stored)?));
    }
    Ok(found)
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
