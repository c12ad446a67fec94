//! How the slices are put together: ports, services, jobs. The only place that knows them all.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use florin_account::{
    AccountRpc, AuthRpc, IssuerRpc, VatNumbers, VatRegistry, jobs::CheckVatNumbers, register_service_token,
};
use florin_api::{
    account::v1::{
        account_service_server::AccountServiceServer, auth_service_server::AuthServiceServer,
        issuer_service_server::IssuerServiceServer,
    },
    credit::v1::{
        campaign_service_server::CampaignServiceServer,
        credit_order_service_server::CreditOrderServiceServer, credit_service_server::CreditServiceServer,
        grant_service_server::GrantServiceServer, voucher_service_server::VoucherServiceServer,
    },
    invoicing::v1::{
        accounting_service_server::AccountingServiceServer,
        billing_run_service_server::BillingRunServiceServer,
        collection_service_server::CollectionServiceServer, invoice_service_server::InvoiceServiceServer,
    },
    operation::v1::{
        approval_service_server::ApprovalServiceServer, notice_service_server::NoticeServiceServer,
    },
    payment::v1::{
        payment_method_service_server::PaymentMethodServiceServer,
        payment_service_server::PaymentServiceServer,
    },
    project::v1::{
        budget_service_server::BudgetServiceServer, catalog_service_server::CatalogServiceServer,
        funding_service_server::FundingServiceServer, project_service_server::ProjectServiceServer,
        resource_service_server::ResourceServiceServer, usage_service_server::UsageServiceServer,
    },
    sandbox::v1::{
        clock_service_server::ClockServiceServer, payment_outcome_service_server::PaymentOutcomeServiceServer,
    },
};
use florin_credit::{
    AvailableFunds, CampaignRpc, CreditOrderRpc, CreditRpc, GrantRpc, PaymentLinks, ProjectGate,
    SettlementHorizon, VoucherRpc, jobs::TopUps,
};
use florin_invoicing::{
    AccountingRpc, BillingRunRpc, BillingRuns, CollectionRpc, Debts, Forecasts, Horizon, InvoiceRpc,
    MoneyOutcomes, Needs, Reversals,
};
use florin_operation::{Acts, ApprovalRpc, ClockRpc, NoticeRpc, Schedule};
use florin_payment::{Methods, PaymentMethodRpc, PaymentOutcomeRpc, PaymentRpc, Payments, Provider};
use florin_platform::{
    Platform,
    call::Role,
    clock::Clock,
    db::{Db, Observer},
    id::{Id, Kind},
    idempotency::Forget,
    job::Job,
};
use florin_project::{
    BudgetRpc, CatalogRpc, FundingRpc, Gate, ProjectRpc, ResourceRpc, Standings, UsageIntake, UsageRpc,
};
use sea_orm::DbErr;
use tonic::{
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{
    cli::CliError,
    config::{Config, PaymentProvider, Registry, StripeAccount},
    migrate,
    pages::{CardEntry, Site},
    provider::{
        sandbox::SandboxProvider,
        stripe::{self, StripeProvider},
    },
    registry::{sandbox::SandboxRegistry, vies::Vies},
    seed,
    webhook::Webhooks,
};

/// The service whose token a sandbox prints.
const SANDBOX_SERVICE: &str = "sandbox";

/// No answer of Stripe's is waited for longer; what comes later is found by the reconcile job.
const STRIPE_ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// No answer of VIES is waited for longer; the number is asked about again later.
const VIES_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A server, put together.
pub(crate) struct Wired {
    pub(crate) platform: Platform,
    pub(crate) routes: Routes,
    pub(crate) site: Site,
    pub(crate) health: Health,
    pub(crate) schedule: Schedule,
    pub(crate) webhooks: Option<Webhooks>,
    pub(crate) sandbox_token: Option<String>,
}

/// Puts a server together that listens on `address`.
pub(crate) async fn wire(
    config: &Config,
    address: SocketAddr,
    observer: Option<Observer>,
) -> Result<Wired, CliError> {
    migrate::migrate(&config.database_url).await?;
    let (platform, standings) = observed_platform(config, observer).await?;
    let replica = replica(&platform).await?;
    let sandbox_token =
        if config.sandbox { Some(open_sandbox(&platform, config, &replica).await?) } else { None };
    let public_url =
        if config.public_url.is_empty() { format!("http://{address}") } else { config.public_url.clone() };

    let sandbox = Arc::new(SandboxProvider::new(platform.clone(), &public_url));
    let (provider, cards): (Arc<dyn Provider>, _) = match &config.payment_provider {
        PaymentProvider::Sandbox => (sandbox.clone(), CardEntry::Sandbox),
        PaymentProvider::Stripe(account) => {
            let publishable_key = account.publishable_key.clone();
            (Arc::new(stripe(&platform, account, &public_url)?), CardEntry::Stripe { publishable_key })
        }
    };
    let outcomes = Arc::new(MoneyOutcomes);
    let payments = Payments::new(platform.clone(), provider.clone(), outcomes.clone());
    let methods = Methods::new(platform.clone(), provider.clone(), outcomes, Arc::new(Needs))
        .with_notice_days(config.mandate_notice_days);
    let runs = BillingRuns::new(platform.clone(), payments.clone())
        .with_batch(config.billing_batch)
        .with_workers(config.billing_workers);
    let links = PaymentLinks::new(&platform.key, &public_url);
    let gate = Arc::new(Gate);
    let intake = UsageIntake::new(&platform, config.usage, config.usage_intake);

    // At one and the same instant they run in this order: money first, then what waits for it, then what
    // lapses, and last what is computed from all of it.
    let mut jobs: Vec<Arc<dyn Job>> =
        vec![Arc::new(florin_payment::jobs::Reconcile::new(payments.clone(), methods.clone()))];
    jobs.extend(florin_invoicing::jobs::all(&platform, runs, &payments, config.dunning.clone()));
    let project_gate: Arc<dyn ProjectGate> = gate.clone();
    let horizon: Arc<dyn SettlementHorizon> = Arc::new(Horizon);
    jobs.extend(florin_credit::jobs::all(&platform, &project_gate, &horizon));
    let funds: Arc<dyn AvailableFunds> = Arc::new(standings.clone());
    jobs.push(Arc::new(TopUps::new(&platform, &payments, &project_gate, &funds, &links)));
    // What waits for a second operator above a configured amount (R6.13).
    let acts = [florin_credit::acts(&project_gate), florin_invoicing::acts()].concat();
    let acts = Acts::new(acts);
    jobs.push(Arc::new(Forget::new(platform.clone())));
    let numbers = VatNumbers::new(platform.clone(), registry(&platform, config)?, config.vat_recheck_days);
    jobs.push(Arc::new(CheckVatNumbers::new(numbers)));
    jobs.extend(florin_project::jobs::all(&platform, config.usage_memory_months));
    jobs.extend(florin_project::spending::jobs(&platform, &standings));
    let schedule = Schedule::new(platform.clone(), jobs, replica);

    let (reporter, health_service) = tonic_health::server::health_reporter();
    let mut health = Health { reporter, services: vec![""] };
    let mut routes = Routes::builder();
    routes.add_service(health_service);
    reflect(&mut routes)?;
    // Every service limits its messages and says that it is serving.
    macro_rules! serve {
        ($($server:ident($rpc:expr)),+ $(,)?) => {$(
            let service = $server::new($rpc)
                .max_decoding_message_size(config.message_bytes_max)
                .max_encoding_message_size(config.message_bytes_max);
            health.serving(&service).await;
            routes.add_service(service);
        )+};
    }
    let orders = CreditOrderRpc::new(
        platform.clone(),
        gate.clone(),
        payments.clone(),
        links.clone(),
        Arc::new(Reversals),
    );
    let mut site = Site {
        platform: platform.clone(),
        orders: orders.clone(),
        links: links.clone(),
        outcomes: None,
        cards,
    };
    let webhooks = match &config.payment_provider {
        PaymentProvider::Sandbox => None,
        PaymentProvider::Stripe(_) => Some(Webhooks::new(payments.clone(), methods.clone())),
    };
    serve!(
        AccountServiceServer(AccountRpc::new(platform.clone())),
        AuthServiceServer(AuthRpc::new(platform.clone())),
        IssuerServiceServer(IssuerRpc::new(platform.clone())),
        PaymentMethodServiceServer(PaymentMethodRpc::new(methods.clone())),
        PaymentServiceServer(PaymentRpc::new(platform.clone())),
        CreditOrderServiceServer(orders),
        CreditServiceServer(CreditRpc::new(platform.clone(), gate.clone())),
        VoucherServiceServer(VoucherRpc::new(platform.clone(), gate.clone())),
        CampaignServiceServer(CampaignRpc::new(platform.clone())),
        GrantServiceServer(GrantRpc::new(platform.clone(), gate, config.approval_limits.clone())),
        ProjectServiceServer(ProjectRpc::new(platform.clone(), Arc::new(Debts), links)),
        ResourceServiceServer(ResourceRpc::new(platform.clone(), standings.clone())),
        FundingServiceServer(FundingRpc::new(platform.clone(), standings)),
        BudgetServiceServer(BudgetRpc::new(platform.clone())),
        CatalogServiceServer(CatalogRpc::new(platform.clone())),
        UsageServiceServer(UsageRpc::new(platform.clone(), intake, Arc::new(Forecasts))),
        InvoiceServiceServer(InvoiceRpc::new(
            platform.clone(),
            payments.clone(),
            config.approval_limits.clone()
        )),
        AccountingServiceServer(AccountingRpc::new(platform.clone())),
        BillingRunServiceServer(BillingRunRpc::new(platform.clone(), payments.clone())),
        CollectionServiceServer(CollectionRpc::new(
            platform.clone(),
            payments.clone(),
            config.approval_limits.clone()
        )),
        ApprovalServiceServer(ApprovalRpc::new(platform.clone(), acts)),
        NoticeServiceServer(NoticeRpc::new(platform.clone())),
    );
    if config.sandbox {
        let outcomes = PaymentOutcomeRpc::in_sandbox(payments, methods, sandbox);
        site.outcomes = Some(outcomes.clone());
        serve!(
            ClockServiceServer(ClockRpc::new(platform.clone(), schedule.clone())),
            PaymentOutcomeServiceServer(outcomes),
        );
    }
    Ok(Wired { platform, site, webhooks, routes: routes.routes(), health, schedule, sandbox_token })
}

/// The database and the clock, with what keeps the standing of projects true in every transaction.
async fn platform(config: &Config) -> Result<(Platform, Standings), DbErr> {
    observed_platform(config, None).await
}

/// The same, with somebody who is told of every statement.
async fn observed_platform(
    config: &Config,
    observer: Option<Observer>,
) -> Result<(Platform, Standings), DbErr> {
    let standings = Standings::new(config.clock(), Arc::new(Debts));
    let db = Db::connect(&config.database_url).await?.keeping(Arc::new(standings.clone()));
    let db = match observer {
        Some(observer) => db.observed(observer),
        None => db,
    };
    Ok((Platform { db, clock: config.clock(), key: config.server_key.clone() }, standings))
}

/// Loads the reference data of this version. What is there already is left as it is.
pub(crate) async fn seed(config: &Config) -> Result<(), CliError> {
    migrate::migrate(&config.database_url).await?;
    let (platform, _) = platform(config).await?;
    let replica = replica(&platform).await?;
    seed::load(&platform, &replica).await
}

/// The token of the internal service `name`, which may act in `roles` from now on (R2.6).
pub(crate) async fn token(config: &Config, name: &str, roles: &[Role]) -> Result<String, CliError> {
    let (platform, _) = &platform(config).await?;
    let registered = platform.db.write::<_, DbErr, _>(|tx| async move {
        let now = platform.clock.now(&tx).await?;
        register_service_token(platform, &tx, now, name, roles).await
    });
    Ok(registered.await?)
}

/// Stripe as it is configured; its customers come back to a page of ours.
fn stripe(
    platform: &Platform,
    account: &StripeAccount,
    public_url: &str,
) -> Result<StripeProvider, CliError> {
    let settings = stripe::Settings {
        url: account.url.clone(),
        secret_key: account.secret_key.clone(),
        webhook_secrets: account.webhook_secrets.clone(),
        return_url: format!("{public_url}/pay/return"),
        answer_max: STRIPE_ANSWERS_WITHIN,
    };
    Ok(StripeProvider::new(platform.clone(), settings)?)
}

/// The register of VAT numbers that is configured.
fn registry(platform: &Platform, config: &Config) -> Result<Arc<dyn VatRegistry>, CliError> {
    Ok(match &config.vat_registry {
        Registry::Sandbox => Arc::new(SandboxRegistry::new(platform.clone())),
        Registry::Vies { url } => Arc::new(Vies::new(url, VIES_ANSWERS_WITHIN)?),
    })
}

/// Reflection in both versions: grpcurl and Python ask for v1alpha, buf for v1.
fn reflect(routes: &mut RoutesBuilder) -> Result<(), CliError> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(florin_api::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    routes.add_service(builder().build_v1()?);
    routes.add_service(builder().build_v1alpha()?);
    Ok(())
}

/// What the server says of itself to load balancers.
pub(crate) struct Health {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl Health {
    async fn serving<S: NamedService>(&mut self, _: &S) {
        self.reporter.set_service_status(S::NAME, ServingStatus::Serving).await;
        self.services.push(S::NAME);
    }

    /// Says of every service that it takes no new calls: load balancers turn away (R12.5).
    pub(crate) async fn set_unready(&self) {
        for service in &self.services {
            self.reporter.set_service_status(*service, ServingStatus::NotServing).await;
        }
    }
}

/// Marks the name of one running server.
enum Replica {}
impl Kind for Replica {
    const PREFIX: &'static str = "replica";
}

/// A name no other server has, also not the one in the next container at the same address.
async fn replica(platform: &Platform) -> Result<String, DbErr> {
    let now = Clock::System.now(platform.db.reader()).await?;
    Ok(Id::<Replica>::generate(now).to_string())
}

/// Sets a new sandbox's clock, loads its reference data and registers the token that may call everything.
async fn open_sandbox(platform: &Platform, config: &Config, replica: &str) -> Result<String, CliError> {
    let start = config.sandbox_clock_start;
    platform.db.write::<_, DbErr, _>(|tx| async move { Clock::begin_sandbox(&tx, start).await }).await?;
    seed::load(platform, replica).await?;
    let token = platform
        .db
        .write::<_, DbErr, _>(|tx| async move {
            let now = platform.clock.now(&tx).await?;
            register_service_token(platform, &tx, now, SANDBOX_SERVICE, &Role::ALL).await
        })
        .await?;
    Ok(token)
}
