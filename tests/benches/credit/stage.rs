//! A database full of customers: one is made over the wire, the others are copies of its rows.

use florin_api::credit::v1::{Campaign, campaign};
use florin_platform::{
    id::AccountId,
    secret::digest,
    wire::{account_name, parse_account},
};
use florin_server::client::Caller;
use florin_testbed::{Backend, TestDatabase};
use florin_tests::{acts::euros, florin::Florin};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

/// Tables of which a customer has rows, referred to before they refer.
const TABLES: [&str; 8] = [
    "account",
    "account_lock",
    "session",
    "payment_method",
    "default_payment_method",
    "sandbox_provider_method",
    "project",
    "funding_standing",
];
const ROWS_A_STATEMENT: usize = 250;

/// Customers with a card and a project each, and codes for them.
pub(crate) struct Stage {
    /// Where they are.
    pub(crate) database: TestDatabase,
    /// The accounts.
    pub(crate) accounts: Vec<AccountId>,
    /// The last part of the project's name, which is the same in every account.
    project: String,
    /// The last part of the card's.
    card: String,
    /// Codes for one use each.
    pub(crate) codes: Vec<String>,
    /// A code for everybody.
    pub(crate) shared: String,
}

impl Stage {
    /// So many customers, and as many codes.
    pub(crate) async fn set(backend: Backend, accounts: usize, codes: usize) -> Self {
        let database = TestDatabase::create(backend).await;
        let florin = Florin::start(&database).await;
        let first = florin.customer("first").await;
        let card = first.card("card-frictionless").await.name;
        let project = first.create_project(None).await.unwrap().name;
        let single = campaign_of(&florin, campaign::CodeStyle::SingleUse);
        let codes = florin.codes(single, i32::try_from(codes).unwrap()).await;
        let shared = florin.codes(campaign_of(&florin, campaign::CodeStyle::Shared), 1).await.remove(0);
        florin.stop().await;

        let template = parse_account(&first.account).unwrap();
        let ids = (0..accounts as u128)
            .map(|n| AccountId::from_u128(0x0190_0000_0000_7000_8000 << 48 | scattered(n)));
        let accounts: Vec<_> = ids.collect();
        let connection = database.connect().await;
        for table in TABLES {
            multiply(&connection, backend, table, template, &accounts).await;
        }
        sign_in(&connection, backend, &accounts).await;
        if backend == Backend::Postgres {
            connection.execute_unprepared("ANALYZE").await.unwrap();
        }
        connection.close().await.unwrap();
        let last = |name: &str| name.rsplit('/').next().unwrap().to_owned();
        Self { database, accounts, project: last(&project), card: last(&card), codes, shared }
    }

    /// The project of an account.
    pub(crate) fn project(&self, account: AccountId) -> String {
        format!("{}/projects/{}", account_name(account), self.project)
    }

    /// The card of an account.
    pub(crate) fn card(&self, account: AccountId) -> String {
        format!("{}/paymentMethods/{}", account_name(account), self.card)
    }

    /// An account's customer.
    pub(crate) fn customer(florin: &Florin, account: AccountId) -> Caller {
        florin.anonymous.with_token(&token(account))
    }
}

/// Places all over the keys, as ids of one instant are.
fn scattered(n: u128) -> u128 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff
}

fn token(account: AccountId) -> String {
    format!("bench-{account}")
}

fn campaign_of(florin: &Florin, style: campaign::CodeStyle) -> Campaign {
    Campaign {
        code_style: style.into(),
        budgets: vec![euros(90_000_000)],
        per_account_limit: Some(1_000_000),
        ..florin.campaign(1)
    }
}

fn literal(backend: Backend, id: AccountId) -> String {
    match backend {
        Backend::Sqlite => format!("X'{}'", id.uuid().simple()),
        Backend::Postgres => format!("'{}'::uuid", id.uuid()),
    }
}

async fn columns(connection: &DatabaseConnection, backend: Backend, table: &str) -> Vec<String> {
    let text = match backend {
        Backend::Sqlite => format!("SELECT name FROM pragma_table_info('{table}')"),
        Backend::Postgres => {
            format!(
                "SELECT CAST(column_name AS text) FROM information_schema.columns WHERE table_name = '{table}'"
            )
        }
    };
    let statement = Statement::from_string(connection.get_database_backend(), text);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Copies the rows `template` has in `table` to all of `accounts`.
async fn multiply(
    connection: &DatabaseConnection,
    backend: Backend,
    table: &str,
    template: AccountId,
    accounts: &[AccountId],
) {
    let columns = columns(connection, backend, table).await;
    let values = columns.iter().map(|column| match column.as_str() {
        "account_id" => "v.id".to_owned(),
        "movement_sequence" => "0".to_owned(),
        other => format!("t.{other}"),
    });
    let (into, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
    for chunk in accounts.chunks(ROWS_A_STATEMENT) {
        let ids = chunk.iter().map(|id| format!("SELECT {} AS id", literal(backend, *id)));
        let ids = ids.collect::<Vec<_>>().join(" UNION ALL ");
        let text = format!(
            "INSERT INTO {table} ({into}) SELECT {values} FROM {table} t, ({ids}) v WHERE t.account_id = {}",
            literal(backend, template)
        );
        connection.execute_unprepared(&text).await.unwrap();
    }
}

/// Gives everybody a token.
async fn sign_in(connection: &DatabaseConnection, backend: Backend, accounts: &[AccountId]) {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for chunk in accounts.chunks(ROWS_A_STATEMENT) {
        let rows = chunk.iter().map(|account| {
            let digest = hex(digest(&token(*account)));
            let digest = match backend {
                Backend::Sqlite => format!("X'{digest}'"),
                Backend::Postgres => format!("'\\x{digest}'::bytea"),
            };
            let id = literal(backend, *account);
            format!("SELECT {digest}, s.account_id, s.id FROM session s WHERE s.account_id = {id}")
        });
        let rows = rows.collect::<Vec<_>>().join(" UNION ALL ");
        let text = format!("INSERT INTO session_directory (token_digest, account_id, session_id) {rows}");
        connection.execute_unprepared(&text).await.unwrap();
    }
}
