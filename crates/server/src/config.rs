//! Settings: a file, the environment (`FLORIN_…`) and flags, in rising order; checked at start, every
//! mistake named at once.

mod payment;
mod registry;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use data_encoding::BASE64;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use florin_invoicing::DunningRules;
use florin_payment::NOTICE_DAYS_DEFAULT;
use florin_platform::{approval::Limits, clock::Clock, secret::ServerKey, violation::Violations};
use florin_project::{Acceptance, IntakeLimits};
use florin_settlement::{Currency, Instant, Money};
use serde::{Deserialize, Serialize};

pub use payment::{PaymentProvider, Secret, StripeAccount};
pub use registry::Registry;

/// What sandboxes derive their secrets from, so that a sandbox needs no configuration at all. It is
/// published here, so it keeps no secret: outside sandbox mode a key must be given.
const SANDBOX_KEY: &[u8; 32] = b"florin sandbox: not a secret key";

/// Settings given on the command line; what is not given comes from the environment or the file.
#[derive(Args, Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// A TOML file with settings
    #[arg(long, global = true, env = "FLORIN_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where everything is kept: sqlite://FILE or postgres://…
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// Address and port to listen on
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Sandbox mode: a movable clock and a payment provider that plays
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<bool>,
    /// The instant a new sandbox begins at, as in 2027-03-01T00:00:00Z
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox_clock_start: Option<String>,
    /// What to log, as in info,sqlx=warn
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// Settings as they are written, before they are checked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    database_url: String,
    listen: String,
    public_url: String,
    sandbox: bool,
    sandbox_clock_start: String,
    server_key: String,
    log: String,
    log_format: String,
    deadline_max_seconds: u64,
    shutdown_grace_seconds: u64,
    calls_max: usize,
    message_bytes_max: usize,
    billing_batch: u32,
    billing_workers: u32,
    mandate_notice_days: u32,
    approval_limit_units: u32,
    approval_limits: BTreeMap<String, u32>,
    usage_window_days: u32,
    usage_skew_seconds: u32,
    usage_memory_months: u32,
    usage_waiting_max: usize,
    usage_streams_max: usize,
    usage_stream_idle_seconds: u64,
    payment_provider: String,
    stripe_url: String,
    stripe_secret_key: String,
    stripe_publishable_key: String,
    stripe_webhook_secrets: String,
    vat_registry: String,
    vies_url: String,
    vat_recheck_days: u32,
    dunning_retry_days: Vec<u32>,
    dunning_suspend_after_days: u32,
    dunning_suspension_warning_days: u32,
    dunning_delete_after_days: u32,
    dunning_deletion_warning_days: u32,
}

impl Default for Raw {
    fn default() -> Self {
        Self {
            database_url: "sqlite://var/florin.db".to_owned(),
            listen: "127.0.0.1:50051".to_owned(),
            public_url: String::new(),
            sandbox: true,
            sandbox_clock_start: String::new(),
            server_key: String::new(),
            log: "info,sqlx=warn".to_owned(),
            log_format: "text".to_owned(),
            deadline_max_seconds: 60,
            shutdown_grace_seconds: 20,
            calls_max: 1024,
            message_bytes_max: 4 * 1024 * 1024,
            billing_batch: 200,
            billing_workers: 2,
            mandate_notice_days: NOTICE_DAYS_DEFAULT,
            approval_limit_units: 1000,
            approval_limits: BTreeMap::new(),
            usage_window_days: 35,
            usage_skew_seconds: 60,
            usage_memory_months: 13,
            usage_waiting_max: IntakeLimits::default().waiting_max,
            usage_streams_max: IntakeLimits::default().streams_max,
            usage_stream_idle_seconds: IntakeLimits::default().stream_idle_max.as_secs(),
            payment_provider: String::new(),
            stripe_url: "https://api.stripe.com".to_owned(),
            stripe_secret_key: String::new(),
            stripe_publishable_key: String::new(),
            stripe_webhook_secrets: String::new(),
            vat_registry: String::new(),
            vies_url: "https://ec.europa.eu/taxation_customs/vies/rest-api".to_owned(),
            vat_recheck_days: 30,
            dunning_retry_days: vec![1, 3, 5],
            dunning_suspend_after_days: 7,
            dunning_suspension_warning_days: 2,
            dunning_delete_after_days: 30,
            dunning_deletion_warning_days: 7,
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, a JSON object a line.
    Json,
}

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub database_url: String,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How people reach this server: what payment links begin with. Empty: the address listened on.
    pub public_url: String,
    /// Whether this is a sandbox.
    pub sandbox: bool,
    /// Where a new sandbox's clock begins.
    pub sandbox_clock_start: Option<Instant>,
    /// What secrets are derived from.
    pub server_key: ServerKey,
    /// What to log.
    pub log: String,
    /// How.
    pub log_format: LogFormat,
    /// The longest a call may take.
    pub deadline_max: Duration,
    /// How long calls in flight may finish after SIGTERM; then the server exits all the same.
    pub shutdown_grace: Duration,
    /// How many calls run at once; more are refused.
    pub calls_max: usize,
    /// The largest message.
    pub message_bytes_max: usize,
    /// Accounts settled in one transaction of a billing run.
    pub billing_batch: u32,
    /// How many workers of this server share a billing run.
    pub billing_workers: u32,
    /// How many days before a debit the holders of bank accounts are told, by the mandates from now on (R3.6).
    pub mandate_notice_days: u32,
    /// Up to how much an operator acts alone (R6.13).
    pub approval_limits: Limits,
    /// How old measured usage may be, and how far a sender's clock may be ahead (R5.5).
    pub usage: Acceptance,
    /// How many months the ids of measured events are remembered (R5.4).
    pub usage_memory_months: u32,
    /// What senders of measured usage may ask of one server (R12.4).
    pub usage_intake: IntakeLimits,
    /// Who moves the money.
    pub payment_provider: PaymentProvider,
    /// Who knows which VAT numbers are registered (R8.4).
    pub vat_registry: Registry,
    /// After how many days a register is asked about a number again.
    pub vat_recheck_days: u32,
    /// What happens to a debt nobody pays, and when (R9.1, R9.2).
    pub dunning: DunningRules,
}

impl Config {
    /// Reads and checks the settings.
    pub fn load(flags: &Flags) -> Result<Self, Violations> {
        let mut figment = Figment::from(Serialized::defaults(Raw::default()));
        if let Some(file) = &flags.config {
            if !file.is_file() {
                return Err(Violations::one("config", format!("{} is not a file", file.display())));
            }
            figment = figment.merge(Toml::file(file));
        }
        let raw: Raw = figment
            .merge(
                Env::prefixed("FLORIN_")
                    .ignore(&["config", "server", "token"])
                    .filter(|name| !name.starts_with("test_")),
            )
            .merge(Serialized::defaults(flags))
            .extract()
            .map_err(|errors| unreadable(&errors))?;
        raw.check()
    }

    /// The clock these settings ask for.
    #[must_use]
    pub fn clock(&self) -> Clock {
        if self.sandbox { Clock::Sandbox } else { Clock::System }
    }
}

fn unreadable(errors: &figment::Error) -> Violations {
    let mut violations = Violations::new();
    for error in errors.clone() {
        let field = if error.path.is_empty() { "settings".to_owned() } else { error.path.join(".") };
        violations.add(field, &error.kind);
    }
    violations
}

impl Raw {
    fn check(self) -> Result<Config, Violations> {
        let mut violations = Violations::new();
        let sqlite = self.database_url.starts_with("sqlite://") && !self.database_url.contains(":memory:");
        let known = sqlite || self.database_url.starts_with("postgres://");
        violations.check("database_url", known, "must be sqlite://FILE or postgres://…");
        let listen = violations.take("listen", self.listen.parse::<SocketAddr>());
        let log_format = match self.log_format.as_str() {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            other => {
                violations.add("log_format", format!("must be text or json, not {other}"));
                None
            }
        };
        violations.take("log", tracing_subscriber::EnvFilter::try_new(&self.log));
        let server_key = violations.take("server_key", self.key(listen));
        let start = violations.take("sandbox_clock_start", self.clock_start());
        let provider = self.provider(&mut violations);
        for (field, value, max) in [
            ("deadline_max_seconds", self.deadline_max_seconds, 3600),
            ("shutdown_grace_seconds", self.shutdown_grace_seconds, 3600),
            ("calls_max", self.calls_max as u64, 1_000_000),
            ("message_bytes_max", self.message_bytes_max as u64, 64 * 1024 * 1024),
            ("billing_batch", u64::from(self.billing_batch), 10_000),
            ("billing_workers", u64::from(self.billing_workers), 64),
            ("usage_window_days", u64::from(self.usage_window_days), 366),
            ("usage_skew_seconds", u64::from(self.usage_skew_seconds), 3600),
            ("usage_memory_months", u64::from(self.usage_memory_months), 120),
            ("usage_streams_max", self.usage_streams_max as u64, 10_000),
            ("usage_stream_idle_seconds", self.usage_stream_idle_seconds, 86_400),
            ("mandate_notice_days", u64::from(self.mandate_notice_days), 30),
            ("vat_recheck_days", u64::from(self.vat_recheck_days), 366),
        ] {
            violations.check(field, (1..=max).contains(&value), format!("must be from 1 to {max}"));
        }
        let waiting = (5000..=1_000_000).contains(&self.usage_waiting_max);
        violations.check("usage_waiting_max", waiting, "must be from 5000, which is a batch, to 1000000");
        // An id forgotten while its event could still be taken would count twice.
        let remembered = u64::from(self.usage_memory_months) * 28 > u64::from(self.usage_window_days) + 1;
        violations.check("usage_memory_months", remembered, "must be longer than usage_window_days");
        let limits = violations.take("approval_limits", self.limits());
        let dunning = self.dunning(&mut violations);
        let registry = registry::check(self.sandbox, &self.vat_registry, &self.vies_url, &mut violations);
        let outside = provider.zip(registry);
        let parts = listen.zip(log_format).zip(server_key).zip(start).zip(limits).zip(outside);
        let (((((listen, log_format), server_key), sandbox_clock_start), approval_limits), outside) =
            violations.finish_with(parts)?;
        let (payment_provider, vat_registry) = outside;
        Ok(Config {
            database_url: self.database_url,
            listen,
            public_url: self.public_url.trim_end_matches('/').to_owned(),
            sandbox: self.sandbox,
            sandbox_clock_start,
            server_key,
            log: self.log,
            log_format,
            deadline_max: Duration::from_secs(self.deadline_max_seconds),
            shutdown_grace: Duration::from_secs(self.shutdown_grace_seconds),
            calls_max: self.calls_max,
            message_bytes_max: self.message_bytes_max,
            billing_batch: self.billing_batch,
            billing_workers: self.billing_workers,
            mandate_notice_days: self.mandate_notice_days,
            approval_limits,
            usage: Acceptance { skew_seconds: self.usage_skew_seconds, window_days: self.usage_window_days },
            usage_memory_months: self.usage_memory_months,
            usage_intake: IntakeLimits {
                waiting_max: self.usage_waiting_max,
                streams_max: self.usage_streams_max,
                stream_idle_max: Duration::from_secs(self.usage_stream_idle_seconds),
            },
            payment_provider,
            vat_registry,
            vat_recheck_days: self.vat_recheck_days,
            dunning,
        })
    }

    fn provider(&self, violations: &mut Violations) -> Option<PaymentProvider> {
        let written = payment::Written {
            sandbox: self.sandbox,
            public_url: &self.public_url,
            provider: &self.payment_provider,
            url: &self.stripe_url,
            secret_key: &self.stripe_secret_key,
            publishable_key: &self.stripe_publishable_key,
            webhook_secrets: &self.stripe_webhook_secrets,
        };
        written.check(violations)
    }

    fn dunning(&self, violations: &mut Violations) -> DunningRules {
        let rules = DunningRules {
            retry_days: self.dunning_retry_days.clone(),
            suspend_after_days: self.dunning_suspend_after_days,
            suspension_warning_days: self.dunning_suspension_warning_days,
            delete_after_days: self.dunning_delete_after_days,
            deletion_warning_days: self.dunning_deletion_warning_days,
        };
        let rising = rules.retry_days.is_sorted_by(|one, next| one < next);
        let early = rules.retry_days.iter().all(|day| (1..=rules.suspend_after_days).contains(day));
        violations.check(
            "dunning_retry_days",
            rising && early && rules.retry_days.len() <= 10,
            "must be at most 10 rising days, from 1 to dunning_suspend_after_days",
        );
        for (field, value) in [
            ("dunning_suspend_after_days", rules.suspend_after_days),
            ("dunning_suspension_warning_days", rules.suspension_warning_days),
            ("dunning_delete_after_days", rules.delete_after_days),
            ("dunning_deletion_warning_days", rules.deletion_warning_days),
        ] {
            violations.check(field, (1..=365).contains(&value), "must be from 1 to 365");
        }
        rules
    }

    fn limits(&self) -> Result<Limits, String> {
        let limit = |(code, units): (&String, &u32)| {
            let currency = Currency::parse(code).map_err(|error| format!("{code}: {error}"))?;
            Money::from_units_nanos(i64::from(*units), 0, currency)
                .map_err(|error| format!("{code}: {error}"))
        };
        let amounts = self.approval_limits.iter().map(limit).collect::<Result<_, String>>()?;
        Ok(Limits::new(i64::from(self.approval_limit_units), amounts))
    }

    fn key(&self, listen: Option<SocketAddr>) -> Result<ServerKey, String> {
        if self.server_key.is_empty() {
            if !self.sandbox || listen.is_some_and(|listen| !listen.ip().is_loopback()) {
                return Err(
                    "is required outside a sandbox on this machine alone: at least 32 bytes, in base64"
                        .to_owned(),
                );
            }
            return ServerKey::try_new(SANDBOX_KEY.to_vec()).map_err(|error| error.to_string());
        }
        let bytes = BASE64.decode(self.server_key.as_bytes()).map_err(|_| "is not base64".to_owned())?;
        ServerKey::try_new(bytes).map_err(|error| error.to_string())
    }

    fn clock_start(&self) -> Result<Option<Instant>, String> {
        if self.sandbox_clock_start.is_empty() {
            return Ok(None);
        }
        let parsed: DateTime<Utc> = self
            .sandbox_clock_start
            .parse()
            .map_err(|_| "must be an instant as in 2027-03-01T00:00:00Z".to_owned())?;
        Ok(Some(Instant::new(parsed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_needs_no_settings_at_all() {
        let config = Raw::default().check().expect("the defaults are right");
        assert!(config.sandbox);
        assert_eq!(config.clock(), Clock::Sandbox);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let raw = Raw {
            database_url: "mysql://x".into(),
            listen: "nowhere".into(),
            log_format: "xml".into(),
            sandbox: false,
            calls_max: 0,
            sandbox_clock_start: "soon".into(),
            ..Raw::default()
        };
        let violations = raw.check().expect_err("six mistakes");
        let fields: Vec<_> = violations.as_slice().iter().map(|violation| violation.field.as_str()).collect();
        for field in [
            "database_url",
            "listen",
            "log_format",
            "server_key",
            "payment_provider",
            "sandbox_clock_start",
            "calls_max",
        ] {
            assert!(fields.contains(&field), "{field} is not among {fields:?}");
        }
    }

    #[test]
    fn the_published_key_is_for_this_machine_alone() {
        let raw = Raw { listen: "0.0.0.0:50051".into(), ..Raw::default() };
        assert_eq!(raw.check().expect_err("anybody could call").as_slice()[0].field, "server_key");
    }

    #[test]
    fn a_short_key_is_refused() {
        let raw = Raw { server_key: BASE64.encode(b"short"), ..Raw::default() };
        assert!(raw.check().is_err());
    }
}
