//! Rows of issuers, the countries they sell to, mandatory fields and VAT rates: reference data.

use std::collections::{HashMap, HashSet};

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
};
use florin_settlement::{Currency, Instant, TaxRate};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, QueryResult};

use crate::domain::{
    issuer::{Issuer, LegalMentions},
    legal_form::LegalForm,
};

const TABLE: &str = "issuer";
const COLUMNS: &str = "id, legal_name, street, postal_code, city, country, vat_number, currency, series_prefix, \
                       billing_delay_seconds, initial_credit_minimum, loyalty_rate, series_count, \
                       legal_mentions";

#[derive(Debug, FromQueryResult)]
struct Row {
    id: String,
    legal_name: String,
    street: String,
    postal_code: String,
    city: String,
    country: String,
    vat_number: String,
    currency: Code,
    series_prefix: String,
    billing_delay_seconds: i64,
    initial_credit_minimum: Minor,
    loyalty_rate: String,
    series_count: i64,
    legal_mentions: String,
}

impl TryFrom<Row> for Issuer {
    type Error = CorruptRow;

    fn try_from(row: Row) -> Result<Self, CorruptRow> {
        let currency: Currency = row.currency.0;
        let mentions = serde_json::from_str(&row.legal_mentions).map_err(CorruptRow::of(TABLE))?;
        Ok(Self {
            legal_mentions: LegalMentions::new(mentions),
            loyalty_rate: TaxRate::parse(&row.loyalty_rate).map_err(CorruptRow::of(TABLE))?,
            initial_credit_minimum: row.initial_credit_minimum.money(currency),
            currency,
            id: row.id,
            legal_name: row.legal_name,
            street: row.street,
            postal_code: row.postal_code,
            city: row.city,
            country: row.country,
            vat_number: row.vat_number,
            series_prefix: row.series_prefix,
            series_count: u32::try_from(row.series_count).map_err(CorruptRow::of(TABLE))?,
            billing_delay_seconds: row.billing_delay_seconds,
        })
    }
}

fn issuer(row: &QueryResult) -> Result<Issuer, DbErr> {
    Ok(Issuer::try_from(Row::from_query_result(row, "")?)?)
}

pub(crate) async fn all(connection: &impl ConnectionTrait) -> Result<Vec<Issuer>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM issuer ORDER BY id");
    connection.query_all_raw(sql(connection, &text, [])).await?.iter().map(issuer).collect()
}

pub(crate) async fn find(connection: &impl ConnectionTrait, id: &str) -> Result<Option<Issuer>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM issuer WHERE id = $1");
    connection.query_one_raw(sql(connection, &text, [id.into()])).await?.as_ref().map(issuer).transpose()
}

/// The issuer that sells to `country`, if any does (R2.1).
pub(crate) async fn of_country(
    connection: &impl ConnectionTrait,
    country: &str,
) -> Result<Option<Issuer>, DbErr> {
    let text = "SELECT issuer FROM issuer_country WHERE country = $1";
    match connection.query_one_raw(sql(connection, text, [country.into()])).await? {
        Some(row) => find(connection, &row.try_get_by_index::<String>(0)?).await,
        None => Ok(None),
    }
}

pub(crate) async fn is_in_eu(connection: &impl ConnectionTrait, country: &str) -> Result<bool, DbErr> {
    let text = "SELECT in_eu FROM issuer_country WHERE country = $1";
    let row = connection.query_one_raw(sql(connection, text, [country.into()])).await?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0))
}

/// The countries that are member states of the EU.
pub(crate) async fn member_states(connection: &impl ConnectionTrait) -> Result<HashSet<String>, DbErr> {
    let text = "SELECT country FROM issuer_country WHERE in_eu";
    let rows = connection.query_all_raw(sql(connection, text, [])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Every VAT rate there is or was, by country, oldest first.
pub(crate) async fn vat_rates(
    connection: &impl ConnectionTrait,
) -> Result<HashMap<String, Vec<(Instant, TaxRate)>>, DbErr> {
    let text = "SELECT country, effective_at, rate FROM vat_rate ORDER BY country, effective_at";
    let mut rates: HashMap<String, Vec<(Instant, TaxRate)>> = HashMap::new();
    for row in connection.query_all_raw(sql(connection, text, [])).await? {
        let (effective, rate): (At, String) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let rate = TaxRate::parse(&rate).map_err(CorruptRow::of("vat_rate"))?;
        rates.entry(row.try_get_by_index(0)?).or_default().push((effective.into(), rate));
    }
    Ok(rates)
}

/// The fields an account must fill, whatever its country or for this one.
pub(crate) async fn required_fields(
    connection: &impl ConnectionTrait,
    issuer: &str,
    country: &str,
    legal_form: LegalForm,
) -> Result<Vec<String>, DbErr> {
    let text = "SELECT DISTINCT field FROM required_field \
                WHERE issuer = $1 AND country IN ($2, '*') AND legal_form IN ($3, '*') ORDER BY field";
    let values = [issuer.into(), country.into(), legal_form.as_str().into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The VAT rate of `country` in force at `at`, if one is.
pub(crate) async fn vat_rate(
    connection: &impl ConnectionTrait,
    country: &str,
    at: Instant,
) -> Result<Option<TaxRate>, DbErr> {
    let text = "SELECT rate FROM vat_rate WHERE country = $1 AND effective_at <= $2 \
                ORDER BY effective_at DESC LIMIT 1";
    let row = connection.query_one_raw(sql(connection, text, [country.into(), At::from(at).into()])).await?;
    row.map(|row| {
        let rate: String = row.try_get_by_index(0)?;
        Ok(TaxRate::parse(&rate).map_err(CorruptRow::of("vat_rate"))?)
    })
    .transpose()
}

/// Adds reference data that is not there yet.
pub(crate) async fn seed(tx: &Tx, seed: &crate::seed::Seed) -> Result<(), DbErr> {
    for issuer in &seed.issuers {
        let text = format!(
            "INSERT INTO issuer ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT DO NOTHING"
        );
        let mentions = serde_json::to_string(issuer.legal_mentions.by_language())
            .map_err(|error| DbErr::Type(error.to_string()))?;
        let values = [
            issuer.id.as_str().into(),
            issuer.legal_name.as_str().into(),
            issuer.street.as_str().into(),
            issuer.postal_code.as_str().into(),
            issuer.city.as_str().into(),
            issuer.country.as_str().into(),
            issuer.vat_number.as_str().into(),
            issuer.currency.code().into(),
            issuer.series_prefix.as_str().into(),
            issuer.billing_delay_seconds.into(),
            issuer.initial_credit_minimum.minor().into(),
            issuer.loyalty_rate.to_string().into(),
            i64::from(issuer.series_count).into(),
            mentions.as_str().into(),
        ];
        tx.execute_raw(sql(tx, &text, values)).await?;
        // An issuer that was there before it could say anything.
        let text = "UPDATE issuer SET legal_mentions = $2 WHERE id = $1 AND legal_mentions = '{}'";
        tx.execute_raw(sql(tx, text, [issuer.id.as_str().into(), mentions.into()])).await?;
    }
    for row in &seed.countries {
        let text =
            "INSERT INTO issuer_country (country, issuer, in_eu) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let values = [row.country.as_str().into(), row.issuer.as_str().into(), row.in_eu.into()];
        tx.execute_raw(sql(tx, text, values)).await?;
    }
    for row in &seed.vat_rates {
        let text =
            "INSERT INTO vat_rate (country, effective_at, rate) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let values =
            [row.country.as_str().into(), At::from(row.effective).into(), row.rate.to_string().into()];
        tx.execute_raw(sql(tx, text, values)).await?;
    }
    for row in &seed.required_fields {
        let text = "INSERT INTO required_field (issuer, country, legal_form, field) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT DO NOTHING";
        let values = [
            row.issuer.as_str().into(),
            row.country.as_str().into(),
            row.legal_form.as_str().into(),
            row.field.as_str().into(),
        ];
        tx.execute_raw(sql(tx, text, values)).await?;
    }
    Ok(())
}

/// The countries an issuer sells to, by code.
pub(crate) async fn countries(connection: &impl ConnectionTrait, issuer: &str) -> Result<Vec<String>, DbErr> {
    let text = "SELECT country FROM issuer_country WHERE issuer = $1 ORDER BY country";
    let rows = connection.query_all_raw(sql(connection, text, [issuer.into()])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
